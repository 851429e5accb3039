# Two nginx share a store, and their visitors request a page that is not stored: the backend renders it once for all of them.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my %stores  = (redis => $t->redis, memcached => $t->memcached);
my $claims  = {
    redis     => sub { $stores{redis}->cli(qw(info commandstats)) =~ /cmdstat_pttl:calls=(\d+)/ ? $1 : 0 },
    memcached => sub { $stores{memcached}->command('stats') =~ /STAT cmd_set (\d+)/ ? $1 : 0 },
};
my $http = <<'CONF';
    larder_zone 8m;
    larder_store redis redis://@redis@ timeout=5s;
    larder_store memcached memcached://@memcached@ timeout=5s;
    larder_valid 1m;
    larder_lock 60s;
    proxy_set_header Host site;
    server {
        listen @nginx@;
        server_name site;
        location /redis/         { larder redis;           proxy_pass http://@backend@; }
        location /redis/only/    { larder redis near=off;  proxy_pass http://@backend@; }
        location /memcached/     { larder memcached;       proxy_pass http://@backend@; }
        location /redis/short/   { larder redis;           larder_lock 1s;            proxy_pass http://@backend@; }
        location /redis/alone/   { larder redis;           larder_lock 60s store=off; proxy_pass http://@backend@; }
    }
CONF
my @nginx = map { my ($name, $its) = ($_, $http); $its =~ s/\@nginx\@/\@$name\@/; $t->nginx($its, name => $name, workers => 2) } qw(one two);
my $active = sub { $backend->stats->{paths}{$_[0]}{active} // 0 };

# The first one waits for the backend, the second one was refused the lease.
my $both_wait = sub {
    my ($kind, $path, $clients) = @_;
    my $before = $claims->{$kind}->();
    my @loads;
    for my $n (0, 1) {
        push @loads, $nginx[$n]->load([$path], clients => $clients, headers => [Host => 'site']);
        $t->await(sub { $claims->{$kind}->() > $before + $n }) or return;
        $t->await(sub { $active->($path) }) or return;
    }
    return @loads;
};

for my $path (qw(/redis/page /redis/only/page /memcached/page)) {
    my ($kind) = $path =~ m{^/(\w+)};
    $backend->set($path => {hold => 1});
    my @loads = $both_wait->($kind, $path, 100);
    is scalar @loads, 2, "$path: 200 visitors on two machines";
    $backend->release;
    ok $t->await(sub { $_->count >= 100 }), '... are all served' for @loads;
    is $backend->count($path), 1, '... with one render';
    is scalar(grep { $_->{status} != 200 || !$_->{complete} } map { $_->stop } @loads), 0, '... all of it';
}

# If the first one gets a page that can't be shared, or none, the second one asks by itself at once.
for my $answer (['private', headers => [['Cache-Control', 'private']]], ['failed', status => 503], ['closed', fault => 'close']) {
    my ($what, @rule) = @$answer;
    my $path = "/redis/$what";
    $backend->set($path => {@rule, hold => 1});
    my @loads = $both_wait->('redis', $path, 5);
    $backend->release;
    ok $t->await(sub { $_->count >= 5 }), "$what: nobody waits for what does not come" for @loads;
    $_->stop for @loads;
}

# That the page can't be shared is told to all machines, so that they don't all find out by themselves.
for my $kind (qw(redis memcached)) {
    my $path = "/$kind/personal";
    $backend->set($path => {headers => [['Cache-Control', 'private']], hold => 1});
    my @loads = $both_wait->($kind, $path, 5);
    $backend->release;
    ok $t->await(sub { $_->count >= 5 }), "$path: all are served" for @loads;
    my %how = map { $_->{larder} => 1 } map { $_->stop } $loads[1];
    $_->stop for $loads[0];
    is_deeply \%how, {PASS => 1}, '... and the second machine knows from the first that it is personal';
}

$backend->set('/redis/alone/page' => {hold => 1});
my @alone = map { $_->load(['/redis/alone/page'], clients => 5, headers => [Host => 'site']) } @nginx;
ok $t->await(sub { $active->('/redis/alone/page') == 2 }), 'store=off: one render for each machine';
$backend->release;
$_->stop for @alone;

# The machine that fills disappears.
$backend->set('/redis/short/page' => {hold => 1});
my @short = $both_wait->('redis', '/redis/short/page', 5);
$nginx[0]->kill;
ok $t->await(sub { $backend->count('/redis/short/page') >= 2 }), 'when the machine that fills dies, another goes on';
$backend->release;
ok $t->await(sub { $short[1]->count >= 5 }), '... and its visitors are served';
$_->stop for @short;

# Without the store each machine still has its own lock.
$stores{redis}->kill;
$nginx[1]->get('/redis/warm', headers => [Host => 'site']);
$backend->set('/redis/down' => {delay => 0.2});
my @answers = $nginx[1]->many(50, {path => '/redis/down', headers => [Host => 'site']});
is scalar(grep { $_->status == 200 } @answers), 50, 'without the store all are served';
is $backend->count('/redis/down'), 1, '... with one render';

done_testing;
