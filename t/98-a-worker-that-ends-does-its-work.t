# A worker that is shutting down finishes compiling the documents that it has received, for visitors and for refreshes, although no
# connection or timer keeps it running.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 128m;
    larder_valid 10m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on size=8m;
        larder_max_size 8m;
        larder_lock off;
        location = /larder_purge { larder_purge; }
        location / { proxy_pass http://@backend@; }
    }
CONF
my $body = '<esi:vars>' x 700_000;
my @rest = map { "/refreshed-$_" } 1 .. 4;
$backend->set('/page-*' => {hold => 1, body => $body}, '/refreshed-*' => {body => "$body 1"});
ok $t->get($_)->complete, "$_ is there" for @rest;
$t->purge(join '&', map { "url=$_" } @rest);
$backend->set('/refreshed-*' => {hold => 1, body => "$body 2"});
is $t->get($_)->larder, 'STALE', '... and stale' for @rest;
my @clients = map {
    my $socket = Larder::Test::listens($t->address('nginx'));
    print $socket "GET /page-$_ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    $socket->flush;
    $socket;
} 1 .. 4;
ok $t->await(sub { $backend->stats->{active} == 8 }), 'pages are asked for, for visitors and in the background';
my ($old) = $nginx->workers;
$backend->release;
$t->await(sub { $backend->stats->{active} == 0 }, 'the site has sent all', 30);
kill QUIT => $old;
my @answers = map { my $client = $_; local $/; <$client> // '' } @clients;
is scalar(grep { /^HTTP\/1\.1 200 / } @answers), 4, 'each client has its answer';
is scalar(grep { /\r\n0\r\n\r\n\z|Content-Length/ } @answers), 4, '... and the whole of it';
ok $t->await(sub { !grep { $_ == $old } $nginx->workers }), 'the worker ends';
like $t->get($_)->body, qr/ 2\z/, "$_ is new" for @rest;
done_testing;
