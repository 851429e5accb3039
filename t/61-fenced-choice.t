# A regeneration caused by a write reads only from a replica that has replayed the write.
use Larder::Test;
use Larder::Test::Replication;
use Time::HiRes qw(sleep);

my $pg = Larder::Test::Replication->start(max_lag_ms => 5000, hard_max_lag_ms => 60000);
$pg->await_ready;
$pg->rig('lag', 'r1', 700);

my ($stale_unfenced, $stale_fenced, $primaries, $holds) = (0, 0, 0, 0);
for my $row (1 .. 30) {
    my $position = $pg->write;
    $stale_unfenced++ if $pg->sql('r1', 'select count(*) from t') < $row;
    my $choice;
    while (($choice = $pg->choose(position => $position))->{hold}) {
        $holds++;
        sleep $choice->{retry_after_ms} / 1000;
    }
    $primaries++ if $choice->{primary};
    $stale_fenced++ if $pg->sql($choice->{alias}, 'select count(*) from t') < $row;
    $pg->release;
}
cmp_ok $stale_unfenced, '>', 0, 'a replica 700 ms behind shows old values';
is $stale_fenced, 0, 'the chosen one never does';
is $primaries, 0, '... and is never the primary';
note "held $holds times for a replay";
$pg->rig('lag', 'r1', 0);
$pg->await_ready;

subtest 'nobody has replayed it' => sub {
    $pg->rig('pause', $_) for qw(r1 r2);
    my $position = $pg->write;
    my $choice = $pg->choose(position => $position);
    ok $choice->{hold}, 'background work is held';
    like $choice->{reason}, qr/no replica in rotation has replayed/, '... and says why';
    ok !$pg->choose->{hold}, 'work without a fence is not';
    is $pg->choose(position => $position, patience => 0.9)->{alias}, 'primary', 'when patience ends the primary does it';
    is $pg->choose(position => $position, class => 'live')->{alias}, 'primary', 'someone who waits gets the primary at once';
    $pg->rig('resume', $_) for qw(r1 r2);
    $pg->await_ready;
    $pg->release;
};

subtest 'a position behind the header of a page that holds nothing yet' => sub {
    $pg->sql('primary', 'select pg_switch_wal()');
    my $position = $pg->position('primary');
    like $position, qr/000028$/, 'such a position';
    ok $pg->await(sub { !$_[0]->choose(position => $position)->{hold} }, 'a choice'), 'is reached without another write';
    $pg->release;
};

subtest 'positions that cannot be compared' => sub {
    my $refused = 0;
    for my $position ('default/1/xyz', 'elsewhere/1/1', 'default', "default/1/1\n", 'default/1/' . 'F' x 17, 'default/1/' . 'F' x 16,
        'default/7/1', 'default/7/1/1') {
        my $name = JSON::PP::encode_json([$position]);
        is $pg->choose(position => $position, class => 'live')->{alias}, 'primary', "$name: someone who waits gets the primary";
        ok $pg->await(sub { !$_[0]->choose(position => $position)->{hold} }, 'a choice'), '... and other work a replica, once that is known to have all';
        is $pg->ask({do => 'refused'})->{default}, ++$refused, '... and it counts as refused';
    }
    ok $pg->await(sub { !$_[0]->choose(position => 'default/0/1')->{hold} }, 'a choice'), 'a timeline before ours is over';
    is $pg->ask({do => 'refused'})->{default}, $refused, '... which is nobody\'s mistake';
    $pg->release;
};

$pg->finish;
done_testing;
