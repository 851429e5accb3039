# A fragment may take longer than send_timeout, which is for writing to the client. The output before a fragment is sent to a slow client
# while the fragment is being rendered.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 64m;
    larder_valid 1m;
    larder_max_size 32m;
    send_timeout 500ms;
    server {
        listen @nginx@ sndbuf=32k;
        location / { larder near; larder_esi on size=32m timeout=1m; proxy_pass http://@backend@; }
    }
CONF
my $private = [['Cache-Control', 'private']];
$backend->set('/page' => {body => 'a<esi:include src="/slow"/>b'}, '/slow' => {body => '-', delay => 1.5, headers => $private});
is $t->get('/page')->body, 'a-b', "a page $_" for 'that has to be fetched', 'that is kept';

my $filler = 'x' x 2_000_000;
for my $round (1 .. 2) {
    $backend->set('/large' => {body => "$filler<esi:include src=\"/held\"/>b"}, '/held' => {body => '-', hold => 1, headers => $private});
    my $client = Larder::Test::listens($t->address('nginx'));
    print $client "GET /large HTTP/1.0\r\nHost: x\r\n\r\n";
    $client->flush;
    my $came = '';
    ok $t->await(sub { ($backend->stats->{paths}{'/held'}{active} // 0) == 1 }), 'a fragment is being rendered';
    while (length $came < 2_000_000) {
        IO::Select->new($client)->can_read(5) or last;
        sysread $client, $came, 1 << 16, length $came or last;
    }
    cmp_ok length $came, '>=', 2_000_000, '... and all before it is here';
    $backend->release;
    1 while sysread $client, $came, 1 << 16, length $came;
    ok $came =~ /\r\n\r\n$filler-b\z/, 'then the rest';
}
done_testing;
