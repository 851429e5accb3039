# Redis or memcached is killed, frozen and restarted under load: visitors don't notice, and the store is used again
# automatically.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my %stores  = (redis => $t->redis, memcached => $t->memcached);
my $http = <<'CONF';
    larder_zone 8m;
    larder_store redis redis://@redis@ timeout=200ms;
    larder_store memcached memcached://@memcached@ timeout=200ms;
    larder_valid 1m;
    server {
        listen @nginx@;
        server_name site;
        location /redis/          { larder redis;              proxy_pass http://@backend@; }
        location /redis/only/     { larder redis near=off;     proxy_pass http://@backend@; }
        location /memcached/      { larder memcached;          proxy_pass http://@backend@; }
        location /memcached/only/ { larder memcached near=off; proxy_pass http://@backend@; }
    }
CONF
$t->nginx($http, workers => 2);
(my $other_http = $http) =~ s/\@nginx\@/\@other\@/;
my $other = $t->nginx($other_http, name => 'other');
my @as = (headers => [Host => 'site']);

for my $kind (sort keys %stores) {
    my $store = $stores{$kind};
    my @paths = map { ("/$kind/$_", "/$kind/only/$_") } 1 .. 10;
    $t->get($_, @as) for @paths;
    my $load = $t->load(\@paths, clients => 8, @as);
    my $go_on = sub { my $from = $load->count; $t->await(sub { $load->count > $from + 200 }, "$kind: the load goes on") };
    ok $go_on->(), "$kind: load";
    for my $fate (qw(kill freeze)) {
        $store->$fate;
        ok $go_on->(), "$kind: load goes on after $fate";
        $fate eq 'kill' ? $store->restart : $store->thaw;
        my $n = 0;
        ok $t->await(sub {
                my $path = "/$kind/only/new-$fate-" . $n++;
                $t->get($path, @as);
                $other->get($path, @as)->larder eq 'HIT';
            }, "$kind: used again"), "$kind: used again by itself after $fate";
    }
    my @answers = $load->stop;
    is scalar(grep { $_->{status} != 200 || !$_->{complete} } @answers), 0, "$kind: every visitor got the page";
    # memcached has lost its purge log with all else, so every page may have been purged, and is rendered again, once.
    my $at_once = $kind eq 'memcached' ? qr/^(HIT|STALE)$/ : qr/^HIT$/;
    is scalar(grep { $_->{path} !~ /only/ && $_->{larder} !~ $at_once } @answers), 0, "$kind: what the near cache held was served at once";
}

done_testing;
