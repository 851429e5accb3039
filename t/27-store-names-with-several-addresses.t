# The name of a store may have several addresses: one that serves is used, whatever the others do.
use Larder::Test;
use IO::Socket::INET;

my $t = Larder::Test->new;
if ($t->_sanitizer_env('x')->{LD_PRELOAD}) {
    pass 'left out: a sanitizer wants to be preloaded alone';
    done_testing;
    exit;
}
my $backend = $t->backend;
my %server  = (redis => $t->redis, memcached => $t->memcached);

# Other addresses of this machine, on the same ports: nobody listens at 127.0.0.2, and the server at 127.0.0.3 never answers.
my @silent = map { IO::Socket::INET->new(LocalAddr => '127.0.0.3', LocalPort => $t->port($_), Listen => 128) || die "$_: $!" } sort keys %server;
my %names = (
    'refused.test' => [qw(127.0.0.2 127.0.0.1)],
    'silent.test'  => [qw(127.0.0.3 127.0.0.1)],
    'both.test'    => [qw(127.0.0.3 127.0.0.2 127.0.0.1)],
    'six.test'     => [qw(::1 127.0.0.1)],
);
my $hosts = $t->file(hosts => join '', map { my $name = $_; map { "$_ $name\n" } @{$names{$name}} } sort keys %names);
my %env = (LD_PRELOAD => 'libnss_wrapper.so', NSS_WRAPPER_HOSTS => $hosts);

for my $name (sort keys %names) {
    my ($label) = $name =~ /(\w+)/;
    my $nginx = $t->nginx(<<"CONF", name => $label, env => \%env);
    larder_zone 8m;
    larder_store redis     redis://$name:\@redis.port\@ timeout=500ms prefix=$label:;
    larder_store memcached memcached://$name:\@memcached.port\@ timeout=500ms prefix=$label:;
    larder_valid 1h;
    server {
        listen \@$label\@;
        location /redis/     { larder redis near=off; proxy_pass http://\@backend\@; }
        location /memcached/ { larder memcached near=off; proxy_pass http://\@backend\@; }
        location = /larder_status { larder_status; }
    }
CONF
    my $pages = 0;
    for my $kind (sort keys %server) {
        my $is_used = sub {
            my $path = "/$kind/" . $pages++;
            my $hits = $nginx->counters->{store_hit};
            $nginx->get($path) for 1 .. 2;
            return $nginx->counters->{store_hit} > $hits;
        };
        ok $t->await($is_used, "$kind by $name", 20), "$name (@{$names{$name}}): $kind is used";
    }
    $server{redis}->restart;
    ok $t->await(sub {
        my $path = '/redis/' . $pages++;
        my $hits = $nginx->counters->{store_hit};
        $nginx->get($path) for 1 .. 2;
        return $nginx->counters->{store_hit} > $hits;
    }, "redis by $name", 20), '... and again after a restart';
}
done_testing;
