# A page fetched by one nginx is found by another in the store; Redis and memcached behave alike.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $memcached = $t->memcached;
$backend->set('/*/tagged' => {}, '/*' => {headers => [['X-Kept', 'yes']], etag => '"e"'});

my $http = <<'CONF';
    larder_zone 8m;
    larder_store redis redis://@redis@ prefix=site: timeout=5s;
    larder_store memcached memcached://@memcached@ prefix=site: timeout=5s;
    larder_valid 1m;
    server {
        listen @HERE@;
        server_name one.example;
        location /redis/            { larder redis;              proxy_pass http://@backend@; }
        location /redis-only/       { larder redis near=off;     proxy_pass http://@backend@; }
        location /memcached/        { larder memcached;          proxy_pass http://@backend@; }
        location /memcached-only/   { larder memcached near=off; proxy_pass http://@backend@; }
    }
CONF
my ($one, $two) = map { my $c = $http; my $n = $_; $c =~ s/HERE/$n/; $t->nginx($c, name => $n) } qw(one two);
my @as = (headers => [Host => 'one.example']);

# The number of entries in a store.
sub held { $_[0] =~ /redis/ ? scalar(() = $redis->cli('KEYS', 'site:e:*') =~ /^site/mg) : ($memcached->command('stats') =~ /curr_items (\d+)/)[0] }

for my $place (qw(redis redis-only memcached memcached-only)) {
    my $path   = "/$place/page";
    my $before = held($place);
    is $one->get($path, @as)->larder, 'MISS', "$place: a miss";
    ok $t->await(sub { held($place) > $before }), "$place: the store has it";
    my $found = $two->get($path, @as);
    # memcached counts the lease as an item, too, so wait until the page is stored.
    like $found->larder, qr/^(?:HIT|COALESCED)$/, "$place: the other nginx finds it";
    is $found->body, "$path render 1\n", "$place: ... the same body";
    is $found->header('X-Kept'), 'yes', "$place: ... and fields";
    is $two->get($path, headers => [Host => 'one.example', 'If-None-Match' => '"e"'])->status, 304, "$place: ... 304 from it";
    is $two->get($path, headers => [Host => 'one.example', Range => 'bytes=1-2'])->body, substr($path, 1, 2), "$place: ... ranges of it";
    is $two->head($path, @as)->status, 200, "$place: ... HEAD of it";
    is $backend->count($path), 1, "$place: the backend was asked once";
}

my @keys = grep { /^site:e:/ } split /\n/, $redis->cli('KEYS', '*');
is scalar @keys, 2, 'Redis holds the two pages under the prefix';
cmp_ok $redis->cli('PTTL', $_), '>', 0, '... for a limited time' for @keys;

my $large = '/redis-only/large';
$backend->set($large => {size => 900_000});
my $before = held('redis');
my $body = $one->get($large, @as)->body;
ok $t->await(sub { held('redis') > $before }), 'a large page reaches the store';
is $two->get($large, @as)->body, $body, '... and returns unharmed';
my @answers = $two->many(50, {path => $large, @as});
is scalar(grep { $_->larder eq 'HIT' && $_->body eq $body } @answers), 50, '... for many at once, too';

$redis->cli('SET', $keys[0], 'not an entry');
$redis->cli('SET', $keys[1], substr $redis->cli('--no-raw', 'GET', $keys[1]), 0, 50);
for my $place (qw(redis redis-only)) {
    is $two->get("/$place/page", @as)->status, 200, "$place: a damaged entry is a miss, not an error";
}

done_testing;
