# The measured lag of a replica, in states in which SQL's own functions give wrong results.
use Larder::Test;
use Larder::Test::Replication;

my $pg = Larder::Test::Replication->start(max_lag_ms => 400, hard_max_lag_ms => 60000);
ok $pg->await_ready, 'replicas that keep up come into rotation';

# An idle primary: by pg_last_xact_replay_timestamp() the lag would grow without limit.
my $before = $pg->status;
my $after = $pg->await(sub { $_->{r1}{probes} > $before->{r1}{probes} + 40 && $_ }, 'forty more probes');
is_deeply [map { $after->{$_}{lag_ms} } qw(r1 r2)], [0, 0], 'replicas of an idle primary are not late';
ok $after->{r1}{in_rotation} && $after->{r2}{in_rotation}, '... and stay in rotation';

# A log that ends at a page boundary: the primary's insert position is after the next page's header, which no replica reaches.
$pg->sql('primary', 'select pg_switch_wal()');
$before = $pg->status;
$after = $pg->await(sub { $_->{r1}{probes} > $before->{r1}{probes} + 40 && $_ }, 'forty more probes');
is_deeply [map { $after->{$_}{lag_ms} } qw(r1 r2)], [0, 0], 'nor are they late when the log ends with a page';

# Replay is paused: the lag grows as soon as the primary writes.
$pg->rig('pause', 'r1');
$pg->write;
ok $pg->await(sub { $_->{r1}{replay_paused} && $_->{r1}{lag_ms} > 400 && !$_->{r1}{in_rotation} }, 'r1 late and out'),
    'a replica whose replay is paused falls behind and leaves the rotation';
like $pg->status->{r1}{reason}, qr/^\d+ ms late, above max_lag = 400ms$/, '... and the status says why';
my $then = $pg->status->{r1}{lag_ms};
ok $pg->await(sub { $_->{r1}{lag_ms} > $then + 300 }, 'r1 later still'), '... and its lag grows without another write';
ok $pg->status->{r2}{in_rotation}, '... while the other one stays';
is $pg->health('/replica', 'node=r1')->{status}, 503, '/replica says no to a balancer';
is $pg->health('/replica', 'node=r2&lag=200ms')->{status}, 200, '... and yes to the other';
is $pg->ask({do => 'agent', node => 'r1'})->{text}, "drain\n", "HAProxy's agent-check drains it";
$pg->rig('resume', 'r1');
ok $pg->await(sub { $_->{r1}{in_rotation} && $_->{r1}{lag_ms} == 0 }, 'r1 back'), 'it returns once it has caught up';

# A configured delay is measured correctly.
$pg->rig('lag', 'r1', 1500);
$pg->write;
my $peak = 0;
$pg->await(sub { $peak = $_->{r1}{lag_ms} if $_->{r1}{lag_ms} > $peak; $peak && $_->{r1}{lag_ms} == 0 }, 'r1 replays with its delay');
cmp_ok $peak, '>=', 1000, 'a replica that replays 1.5 s late is seen to be late by about that';
$pg->rig('lag', 'r1', 0);
$pg->await_ready;

# The stream is cut: the replica has replayed everything that it has received, so by SQL it has no lag.
$pg->rig('cut', 'r2');
my $first = $pg->await(sub { !$_->{r2}{streaming} && $_->{r2}{probes} }, 'r2 cut off');
my $out   = $pg->await(sub { !$_->{r2}{in_rotation} && $_->{r2}{probes} }, 'r2 out');
ok $out, 'a replica that receives no WAL leaves the rotation, even while nothing is written';
cmp_ok $out - $first, '<=', 3, '... after two such probes, which is half a second by default';
is $pg->status->{r2}{reason}, 'receives no WAL', '... and the status says why';
$pg->write;
ok $pg->await(sub { $_->{r2}{lag_ms} > 500 && $_->{r2}{lag_bound} eq 'exact' }, 'r2 late'), '... and its lag is known all the same';
$pg->rig('reconnect', 'r2');
ok $pg->await_ready, 'reconnected, it returns';

# All of this needs LOGIN only; pg_monitor just adds how busy the server is.
my $settings = $pg->{settings};
s/user=larder_monitor/user=larder/ for map { $_->{dsn} } $settings->{primary}, @{$settings->{replicas}};
$pg->watch;
ok $pg->await_ready, 'a role without pg_monitor can probe';
$pg->rig('cut', 'r2');
ok $pg->await(sub { $_->{r2}{reason} eq 'receives no WAL' && $_->{r1}{in_rotation} }, 'r2 out'), '... and sees who is cut off';

$pg->finish;
done_testing;
