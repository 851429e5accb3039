# Whoever can write to a store can't make nginx serve anything but an entry made for the requested page: all else is a miss, and
# nothing breaks.
use Larder::Test;

my $t         = Larder::Test->new;
my $backend   = $t->backend;
my $redis     = $t->redis;
my $memcached = $t->memcached;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store redis redis://@redis@ timeout=5s;
    larder_store memcached memcached://@memcached@ timeout=5s;
    larder_valid 1h;
    server {
        listen @nginx@;
        larder_esi auto;
        add_header X-Key $larder_key;
        add_header X-Larder $larder_status always;
        location /redis/near/      { larder redis;              proxy_pass http://@backend@; }
        location /redis/only/      { larder redis near=off;     proxy_pass http://@backend@; }
        location /memcached/near/  { larder memcached;          proxy_pass http://@backend@; }
        location /memcached/only/  { larder memcached near=off; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $seed = $ENV{LARDER_TEST_SEED} || time;
note "LARDER_TEST_SEED=$seed";
srand $seed;
my %esi = (headers => [['Surrogate-Control', 'content="ESI/1.0"']], body => '{path}<esi:include src="part?{n}" onerror="continue"/>');

# What a store holds, by name; and a function that replaces its bytes.
my %resp  = (read => sub { my ($length, $bytes) = $redis->raw("*2\r\n\$3\r\nGET\r\n\$" . length($_[0]) . "\r\n$_[0]\r\n*1\r\n\$4\r\nQUIT\r\n") =~ /^\$(\d+)\r\n(.*)/s or return; substr $bytes, 0, $length },
    write => sub { $redis->raw("*3\r\n" . join('', map { '$' . length($_) . "\r\n$_\r\n" } 'SET', @_) . "*1\r\n\$4\r\nQUIT\r\n") });
my %text  = (read => sub { my ($length, $bytes) = $memcached->command("get $_[0]") =~ /^VALUE \S+ \d+ (\d+)\r\n(.*)/s or return; substr $bytes, 0, $length },
    write => sub { $memcached->command("set $_[0] 0 600 " . length($_[1]) . "\r\n$_[1]") });
my %store = (redis => \%resp, memcached => \%text);
# Requests a page, and returns its entry's name in the store.
sub name_of { 'larder:e:' . $t->get($_[0])->header('X-Key') }

# Each function gets two entries and returns what is put in place of the first.
my %forged = (
    'one bit'           => sub { my $e = $_[0]; my $at = int rand 8 * length $e; vec($e, $at, 1) ^= 1; $e },
    'a byte of its head' => sub { my $e = $_[0]; substr $e, int rand 120, 1, chr int rand 256; $e eq $_[0] ? 'LRDE' : $e },
    'cut short'         => sub { substr $_[0], 0, int rand length $_[0] },
    'more at its end'   => sub { $_[0] . 'x' x (1 + rand 100) },
    'twice'             => sub { $_[0] x 2 },
    "another page's"    => sub { $_[1] },
    "its head, another's rest" => sub { substr($_[0], 0, 120) . substr $_[1], 120 },
    'noise'             => sub { join '', map { chr rand 256 } 1 .. 1 + rand 5000 },
    'noise that begins well' => sub { substr($_[0], 0, 8) . join '', map { chr rand 256 } 1 .. 112 + rand 500 },
    'lengths of all ones' => sub { my $e = $_[0]; substr $e, 80, 24, "\xff" x 24; $e },
    'nothing'           => sub { '' },
    'text'              => sub { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" },
    'a megabyte of zeros' => sub { "\0" x 1_000_000 },
);
my $n = 0;
for my $where (qw(redis/near redis/only memcached/near memcached/only)) {
    my ($kind) = split m{/}, $where;
    my $bad_before = $t->counters->{bad_entries};
    for my $what (sort keys %forged) {
        my @wrong;
        for my $try (1 .. 3) {
            my ($page, $other) = map { "/$where/" . ++$n } 1 .. 2;
            $backend->set($page => $try == 3 ? {%esi} : {}, $other => {});
            my ($entry, $others) = map { my $key = name_of($_); $t->await(sub { $store{$kind}{read}->($key) }, "$_ in the store") } $page, $other;
            $store{$kind}{write}->(name_of($page), $forged{$what}->($entry, $others));
            # The near cache still has the page; after a purge it is looked up in the store.
            $t->purge("url=$page&mode=hard") if $where =~ /near/;
            my @answers = map { $t->get($page) } 1 .. 2;
            push @wrong, map { $_->status . ' ' . $_->body } grep { $_->status != 200 || $_->body !~ /^\Q$page\E\b/ || $_->larder eq 'HIT' && $_ == $answers[0] } @answers;
        }
        is_deeply \@wrong, [], "$where: $what is no page";
    }
    cmp_ok $t->counters->{bad_entries} - $bad_before, '>', 20, "$where: ... and counted" or diag $t->counters->{bad_entries} - $bad_before;
}
like $t->{nginx}->error_log, qr/refused what store "\w+" holds for [\w-]{22}: entry/, 'the log says what was wrong';

# Larder's other data in Redis.
for my $type (['SET', 'KEY', 'x'], ['SET', 'KEY', '18446744073709551615'], ['RPUSH', 'KEY', 'x'], ['HSET', 'KEY', 'x', 'y'], ['ZADD', 'KEY', '1e300', 'floor', '-5', 'x:y', '7', '']) {
    for my $key ('larder:{purge}log', 'larder:{purge}sequence', 'larder:{purge}pending', 'larder:{purge}positions') {
        $redis->cli('DEL', $key);
        $redis->cli(map { $_ eq 'KEY' ? $key : $_ } @$type);
        my $page = '/redis/near/rest-' . ++$n;
        my @answers = map { $t->get($page) } 1 .. 2;
        is_deeply [map { $_->status . $_->body =~ s/ .*//sr } @answers], [("200$page") x 2], "$key: @$type[0, 2 .. $#$type]";
        cmp_ok $t->purge('tag=x')->status, '<', 504, '... and a purge has an answer';
        $redis->cli('DEL', $key);
    }
}
$backend->set('/redis/near/after' => {});
ok $t->await(sub { $t->get('/redis/near/after')->larder eq 'HIT' }), 'and all is well afterwards';

done_testing;
