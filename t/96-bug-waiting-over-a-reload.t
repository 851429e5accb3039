# A reload during a render: requests in a new worker wait for the old worker's render, and get its result.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_lock 10m;
    server {
        listen @nginx@;
        location / { larder near; proxy_pass http://@backend@; }
        location = /connections { stub_status; }
    }
CONF
$backend->set('/page' => {hold => 1});
my $visitor = sub {
    my $socket = Larder::Test::listens($nginx->address);
    print $socket "GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    $socket->flush;
    return $socket;
};
my $first = $visitor->();
ok $t->await(sub { ($backend->stats->{paths}{'/page'}{active} // 0) == 1 }), 'the backend renders';
my ($old) = $nginx->workers;
$nginx->signal('HUP');
ok $t->await(sub { my @now = $nginx->workers; @now == 2 }), '... when a reload comes';
ok $t->await(sub { $t->get('/connections')->body =~ /Writing: 2/ }), '... and the new worker serves';
my $second = $visitor->();
ok $t->await(sub { $t->get('/connections')->body =~ /Writing: 3/ }), '... somebody who wants the page, too';
$backend->release;
for my $socket ($first, $second) {
    my $answer = '';
    1 while IO::Select->new($socket)->can_read(10) && sysread $socket, $answer, 1 << 16, length $answer;
    like $answer, qr{^HTTP/1\.1 200 .*page render 1\n}s, 'both get it';
}
is $backend->count('/page'), 1, '... from one render';
done_testing;
