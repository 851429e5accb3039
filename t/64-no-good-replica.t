# If no replica is fresh enough: first hold jobs, then use the replica with the least lag, and the primary only within its limits.
use Larder::Test;
use Larder::Test::Replication;

my $pg = Larder::Test::Replication->start(max_lag_ms => 100, hard_max_lag_ms => 60000, primary_jobs => 2, primary_rate => 0.01,
    primary_burst => 3);
$pg->await_ready;

subtest 'work is shared while all are good' => sub {
    my %chosen;
    $chosen{$pg->choose->{alias}}++ for 1 .. 400;
    is $chosen{r1} + $chosen{r2}, 400, 'among the replicas alone';
    # Evenly, apart from the latency of probes, which varies a lot on a busy machine.
    ok $chosen{$_} >= 10, "... $_ has its part, as each piece of work counts while it runs" for qw(r1 r2);
    $pg->release;
    is $pg->status->{r1}{in_flight}, 0, 'nothing is left in flight';
};

$pg->rig('pause', 'r1');
$pg->write;
$pg->await(sub { $_->{r1}{lag_ms} > 1000 }, 'r1 is late');
$pg->rig('pause', 'r2');
$pg->write;
$pg->await(sub { !$_->{r1}{in_rotation} && !$_->{r2}{in_rotation} }, 'both are out');

subtest 'the least-lagged one' => sub {
    my $choice = $pg->choose;
    ok $choice->{hold}, 'background work is held';
    is $choice->{reason}, 'no replica is in rotation', '... and says why';
    cmp_ok $choice->{retry_after_ms}, '>=', 5 * 50, '... for no shorter than a replica needs to return';
    is $pg->choose(patience => 0.8)->{alias}, 'r2', 'when patience ends it goes to the least-lagged replica';
    is $pg->choose(class => 'live')->{alias}, 'r2', 'someone who waits gets it at once';
    $pg->release;
};

subtest 'the primary, within its cap' => sub {
    my $position = $pg->write;    # that no replica will replay
    my @choices = map { $pg->choose(position => $position, patience => 1) } 1 .. 3;
    is_deeply [map { $_->{alias} } @choices], ['primary', 'primary', ''], 'two jobs at a time';
    is $choices[2]{reason}, 'it needs the primary, which has all the work it may get', '... the third is held';
    is $pg->choose(position => $position, class => 'live')->{alias}, 'primary', '... which is no limit for someone who waits';
    $pg->release;
    @choices = map { $pg->choose(position => $position, patience => 1) } 1 .. 2;
    is_deeply [map { $_->{alias} } @choices], ['primary', ''], 'three in a burst';
    is $choices[1]{reason}, 'it needs the primary, which gets work only at a limited rate', '... the fourth is held';
    $pg->release;
};

subtest 'too late to be used at all' => sub {
    $pg->watch(max_lag_ms => 100, hard_max_lag_ms => 100);
    $pg->await(sub { $_->{primary}{answering} && $_->{r1}{answering} && $_->{r2}{answering} }, 'all are probed');
    is $pg->choose(patience => 1)->{alias}, 'primary', 'beyond the hard limit even the least-lagged is none';
};

$pg->rig('resume', $_) for qw(r1 r2);
ok $pg->await_ready, 'all is as before when they have caught up';
$pg->finish;
done_testing;
