# A worker that is told to stop at once, while a store owes it replies, touches no memory that it has given back. Only a sanitizer
# or the end of the worker shows it.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1h;
    larder_store first redis://@redis@/0 timeout=30s;
    larder_store second redis://@redis@/1 timeout=30s;
    server {
        listen @nginx@;
        location /first/  { larder first near=off;  proxy_pass http://@backend@; }
        location /second/ { larder second near=off; proxy_pass http://@backend@; }
    }
CONF
for my $store (qw(first second)) {
    ok $t->await(sub { $nginx->get("/$store/page")->larder eq 'HIT' }), "$store is used";
}
$backend->set('/*' => {hold => 1});
my @clients = map {
    my $store  = $_ % 2 ? 'first' : 'second';
    my $client = IO::Socket::INET->new($t->address('nginx'));
    print $client "GET /$store/$_ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    $client;
} 1 .. 100;
ok $t->await(sub { $backend->stats->{active} == 100 }), 'pages are asked for';
$redis->freeze;
$backend->release;
is scalar(grep { my $client = $_; local $/; (<$client> // '') =~ m{^HTTP/1.1 200 } } @clients), 100, '... and come; the stores, which have to take them, hang';
$nginx->{stop_signal} = 'TERM';
$nginx->{expected_death} = 1;
$nginx->stop;
$redis->thaw;
done_testing;
