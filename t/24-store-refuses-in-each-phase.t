# A store answers any command with any error for any time: visitors get their pages meanwhile, and the store is used again
# automatically once the error is over. LARDER_TEST_ALL=1 tries every error in every phase; otherwise each error and each phase
# is tried at least once.
use Larder::Test;

my $t = Larder::Test->new;
$t->backend;
$t->redis->cli('ACL', 'SETUSER', 'web', 'on', '>right', '~*', '&*', '+@all');
$t->memcached;
my %rules = map { $_ => $t->dir . "/$_.rules" } qw(redis memcached);
$t->_start('Larder::Test::Server', "${_}_proxy", stop_signal => 'INT',
    command => [$t->root . '/tests/fakes/store_proxy', $t->port("${_}_proxy"), $t->port($_), $rules{$_}]) for sort keys %rules;
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store redis     redis://web:right@@redis_proxy@/5 timeout=2s;
    larder_store memcached memcached://@memcached_proxy@ timeout=2s;
    larder_valid 1h;
    server {
        listen @nginx@;
        location /redis/     { larder redis near=off; proxy_pass http://@backend@; }
        location /memcached/ { larder memcached near=off; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
    }
CONF

# Errors that end a connection are tried on a new one, the others on the present one.
my %phases = (
    redis     => ['DROP CONNECT', 'DROP AUTH', 'DROP SELECT', 'DEL', 'DROP DEL', 'DROP CLIENT', 'DROP SUBSCRIBE', 'ZRANGEBYSCORE', 'GET', 'SET', 'EVALSHA'],
    memcached => ['DROP CONNECT', 'GET', 'DROP GET', 'SET', 'ADD'],
);
my %errors = (
    redis => ['LOADING Redis is loading the dataset in memory', 'BUSY Redis is busy running a script.', "READONLY You can't write against a read only replica.",
        'MASTERDOWN Link with MASTER is down', 'NOAUTH Authentication required.', 'WRONGPASS invalid username-password pair or user is disabled.',
        "OOM command not allowed when used memory > 'maxmemory'.", 'MISCONF Errors writing to the AOF file', 'NOSCRIPT No matching script.',
        'ERR max number of clients reached', 'NOPERM this user has no permissions', 'CLUSTERDOWN The cluster is down'],
    memcached => ['SERVER_ERROR out of memory storing object', 'SERVER_ERROR temporary failure', 'ERROR', 'ERROR Too many open connections', 'CLIENT_ERROR bad command line format'],
);

my $pages = 0;
sub is_used {
    my ($kind) = @_;
    my $path = "/$kind/" . $pages++;
    my $hits = $nginx->counters->{store_hit};
    $nginx->get($path) for 1 .. 2;
    return $nginx->counters->{store_hit} > $hits;
}
sub set_rule { my ($kind, $rule) = @_; $t->file("$kind.next" => $rule); rename $t->dir . "/$kind.next", $rules{$kind} or die "$!" }
sub answers_of { my ($kind) = @_; return scalar(() = $t->read_file("$rules{$kind}.used") =~ /\n/g) }

for my $kind (sort keys %phases) {
    ok $t->await(sub { is_used($kind) }, "$kind used", 20), "$kind: used";
    my ($phases, $errors) = ($phases{$kind}, $errors{$kind});
    my $most = @$phases > @$errors ? @$phases : @$errors;
    my @pairs = $ENV{LARDER_TEST_ALL}
        ? map { my $phase = $_; map { [$phase, $_] } @$errors } @$phases
        : map { [$phases->[$_ % @$phases], $errors->[$_ % @$errors]] } 0 .. $most - 1;
    for my $pair (@pairs) {
        my ($phase, $error) = @$pair;
        my $what = "$kind, $phase: " . substr $error, 0, 20;
        my $before = answers_of($kind);
        set_rule($kind, "$phase $error");
        my $wrong = 0;
        my $met = $t->await(sub {
            my $page = $nginx->get("/$kind/" . $pages++);
            $wrong++ unless $page->status == 200 && $page->complete;
            answers_of($kind) > $before;
        }, $what, 40);
        ok $met && !$wrong, "$what: visitors get their pages";
        set_rule($kind, '');
        ok $t->await(sub { is_used($kind) }, "$what, after", 30), '... and the store is used after that';
    }
}
done_testing;
