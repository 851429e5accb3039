# Whatever Redis or memcached answers while it can't serve, visitors get the page; and once it can, it is used again
# automatically.
use Larder::Test;
use IO::Socket::INET;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis(options => [qw(--busy-reply-threshold 50 --replica-serve-stale-data no)]);

# Sends commands on one connection that stays open, as Redis may refuse new ones.
my $connection = IO::Socket::INET->new($t->address('redis'));
sub say_on { my ($to, @commands) = @_; my $said; print $to "$_\r\n" and $said = <$to> for @commands; return $said // '' }
sub command { return say_on($connection, @_) }

command('ACL SETUSER web on >right ~* &* +@all');
my $locations = join '', map { "location /$_/ { larder $_ near=off; proxy_pass http://\@backend\@; }\n" } qw(plain web five);
my $nginx = $t->nginx(<<"CONF");
    larder_zone 8m;
    larder_store plain redis://\@redis\@ timeout=300ms prefix=plain:;
    larder_store web   redis://web:right\@\@redis\@ timeout=300ms prefix=web:;
    larder_store five  redis://web:right\@\@redis\@/5 timeout=300ms prefix=five:;
    larder_valid 1h;
    server { listen \@nginx\@; $locations location = /larder_status { larder_status; } }
CONF

my $pages = 0;
# A hit alone proves nothing: while the store is down, the near cache replaces it.
sub is_used {
    my ($server, $below) = @_;
    my $path = $below . $pages++;
    my $hits = $server->counters->{store_hit};
    $server->get($path) for 1 .. 2;
    return $server->counters->{store_hit} > $hits;
}
sub used { my ($server, $below, $when) = @_; return ok $t->await(sub { is_used($server, $below) }, "$below used", 20), "$below: used $when" }

my $spinner;
mkdir $t->dir . '/redis/dump.rdb';    # no snapshot can replace it
my @refusals = (
    # name, log message, store, begin, end, whether it still answers reads
    [BUSY => qr/"BUSY/, 'plain', sub { $spinner = IO::Socket::INET->new($t->address('redis')); print $spinner "EVAL \"while true do end\" 0\r\n" },
        sub { $t->await(sub { command('SCRIPT KILL') =~ /OK/ }) }],
    [MASTERDOWN => qr/"MASTERDOWN/, 'plain', sub { command('REPLICAOF 127.0.0.1 1') }, sub { command('REPLICAOF NO ONE') }],
    [READONLY => qr/"READONLY/, 'plain', sub { command('CONFIG SET replica-serve-stale-data yes', 'REPLICAOF 127.0.0.1 1') }, sub { command('REPLICAOF NO ONE') }],
    [NOAUTH => qr/"NOAUTH/, 'plain', sub { command('AUTH x', 'ACL SETUSER default resetpass >x', 'CLIENT KILL TYPE normal') }, sub { command('ACL SETUSER default nopass') }],
    ['refused-select' => qr/"NOPERM/, 'five', sub { command('ACL SETUSER web -select', 'CLIENT KILL USER web') }, sub { command('ACL SETUSER web +select') }],
    [WRONGPASS => qr/"WRONGPASS/, 'web', sub { command('ACL SETUSER web off', 'CLIENT KILL USER web') }, sub { command('ACL SETUSER web on') }],
    ['too-many-clients' => qr/"ERR max number of clients|can't receive/, 'plain', sub { command('CONFIG SET maxclients 1', 'CLIENT KILL TYPE normal') },
        sub { command('CONFIG SET maxclients 1000') }],
    [MISCONF => qr/: MISCONF/, 'plain', sub { command('CONFIG SET save "3600 1"', 'BGSAVE'); $t->await(sub { command('DEL nothing') =~ /MISCONF/ }) },
        sub { command('CONFIG SET save ""') }, 1],
    [OOM => qr/: OOM/, 'plain', sub { command('CONFIG SET maxmemory 1') }, sub { command('CONFIG SET maxmemory 0') }, 1],
);
for my $refusal (@refusals) {
    my ($name, $says, $store, $begin, $end, $reads) = @$refusal;
    used($nginx, "/$store/", "before $name");
    $t->await(sub { $nginx->get("/$store/before-$name")->larder eq 'HIT' });
    $begin->();
    my $from    = length $nginx->error_log;
    my @answers = $nginx->many(20, sub { {path => "/$store/during-$name-$_[0]"} });
    is scalar(grep { $_->status == 200 && $_->body =~ m{^/$store/during} } @answers), 20, "$name: visitors get the page";
    ok $t->await(sub { $nginx->get("/$store/more-" . $pages++); substr($nginx->error_log, $from) =~ $says }, "$name in the log"),
        '... and the log says why';
    is $nginx->get("/$store/before-$name")->larder, 'HIT', '... what the store holds is still served from there' if $reads;
    $end->();
    used($nginx, "/$store/", "after $name");
}
unlike $redis->cli('-n', 0, 'KEYS', '*'), qr/five:e:/, 'nothing went to a database that was not asked for';

# Redis 7 loads for a while after a restart.
my $slow = $t->_start('Larder::Test::Redis', 'slow', command => ['redis-server', '--bind', '127.0.0.1', '--port', $t->port('slow'),
    '--dir', $t->dir . '/slow', '--appendonly', 'no', '--save', '', '--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'])
    if mkdir $t->dir . '/slow';
my $loading = $t->nginx('larder_zone 8m; larder_store main redis://@slow@ timeout=300ms; larder_valid 1h;
    server { listen @loading@; location / { larder main near=off; proxy_pass http://@backend@; } location = /larder_status { larder_status; } }', name => 'loading');
used($loading, '/slow/', 'before LOADING');
$slow->cli('EVAL', 'for i=1,1000 do redis.call("set", "x" .. i, string.rep("v", 1000)) end', 0);
$slow->cli('SAVE');
$slow->restart;
ok $t->await(sub { $loading->get('/slow/' . $pages++); $loading->error_log =~ /"LOADING / }), '... the log says that it loads';
used($loading, '/slow/', 'after LOADING');

# memcached refuses clients while it has too many, and refuses single items.
my $memcached = $t->memcached(options => [-c => 40, -I => '512k']);
my @hogs = map { my $hog = IO::Socket::INET->new($t->address('memcached')); print $hog "version\r\n"; my $said = <$hog> // ''; $hog } 1 .. 40;
my $fleet = $t->nginx('larder_zone 8m; larder_store main memcached://@memcached@ timeout=5s; larder_valid 1h; larder_max_size 4m;
    server { listen @fleet@; location / { larder main near=off; proxy_pass http://@backend@; } location = /larder_status { larder_status; } }', name => 'fleet');
is $fleet->get('/x')->status, 200, 'memcached, too many connections: the visitor gets the page';
ok $t->await(sub { $fleet->get('/y'); $fleet->error_log =~ /is down: (?:it said "ERROR Too many|can't receive)/ }), '... and the log says why';
close $_ for @hogs;
used($fleet, '/fleet/', 'after that');
$backend->set('/large' => {size => 600_000});
is $fleet->get('/large')->status, 200, 'memcached refuses an item';
ok $t->await(sub { $fleet->error_log =~ /refused a command: SERVER_ERROR/ }), '... and the log says why';
is scalar(() = $fleet->error_log =~ /is down/g), 1, '... the connection stays';

done_testing;
