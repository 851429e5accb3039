# A refresh by nginx gets the same answer as a visitor's request, with any configuration, and ends when nginx aborts the request.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF', main => 'worker_shutdown_timeout 1s;');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx.port@;
        larder near;
        location = /larder_purge { larder_purge; }
        location / { proxy_set_header X-Port $server_port; proxy_pass http://@backend@; }
        location /unbuffered/ { proxy_buffering off; proxy_pass http://@backend@; }
    }
CONF
my $port = $t->port('nginx');

for my $path (qw(/buffered/page /unbuffered/page)) {
    $backend->set($path => {body => 'render {n} for port {header:X-Port}'});
    my $first = $t->get($path)->body;
    like $first, qr/^render 1/, "$path: kept";
    $t->purge("url=$path");
    is $t->get($path)->larder, 'STALE', '... stale';
    (my $second = $first) =~ s/1/2/;
    ok $t->await(sub { $t->get($path)->body eq $second }), '... and the same again by the refresh' or diag $t->get($path)->body;
}
is $t->get('/buffered/page')->body, "render 2 for port $port", 'the port is that of the listener';

$backend->set('/held' => {});
$t->get('/held');
$t->purge('url=/held');
$backend->set('/held' => {hold => 1});
is $t->get('/held')->larder, 'STALE', 'a refresh goes on';
ok $t->await(sub { ($backend->stats->{paths}{'/held'}{active} // 0) == 1 }), '... while';
ok $nginx->reload, 'a reload comes: the old worker ends when its time is over';
$backend->release;
done_testing;
