# A replica is promoted, while the old primary keeps running, dies, and comes back.
use Larder::Test;
use Larder::Test::Replication;

my $pg = Larder::Test::Replication->start(primary_burst => 100, primary_rate => 1000);
$pg->await_ready;
my $before = $pg->write;
$pg->await(sub { $_[0]->choose(position => $before)->{alias} }, 'the write is replayed');
$pg->rig('promote', 'r1');

ok $pg->await(sub { $_->{r1}{role} eq 'primary' && $_->{r1}{position} =~ m{^2/} }, 'r1 is the primary'),
    'the promoted replica is the primary, on timeline 2';
my $status = $pg->status;
is $status->{primary}{role}, 'quarantined', 'the old one, which takes writes too, is quarantined';
my @alarms = $pg->alarms;
is @alarms, 1, 'one alarm';
like $alarms[0], qr/primary takes writes on timeline 1 while r1 does on timeline 2: split brain/, '... that says what happened';
like $pg->log, qr/split brain/, '... in the log too';
is $pg->health('/primary', 'node=primary')->{status}, 503, 'balancers are told';
is $pg->health('/primary', 'node=r1')->{status}, 200, '... who the primary is';

ok $pg->await(sub { !$_->{r2}{in_rotation} }, 'r2 is out'), 'a replica of the old primary leaves the rotation';
is $pg->status->{r2}{reason}, 'on another timeline than the primary', '... and the status says why';
is $pg->choose(position => $before, class => 'live')->{alias}, 'r1', 'a position of the old timeline is in the new primary';
is $pg->choose(position => $pg->position('r1'), class => 'live')->{alias}, 'r1', 'so does one that no replica has';
ok $pg->choose->{hold}, 'background work waits for a replica';

$pg->rig('kill', 'primary');
ok $pg->await(sub { $_->{primary}{role} eq 'unknown' && !$_[0]->alarms }, 'no alarm'), 'with the old primary dead the alarm ends';
$pg->rig('revive', 'primary');
ok $pg->await(sub { $_->{primary}{role} eq 'quarantined' && $_[0]->alarms }, 'alarm'), 'its return is an alarm again';

$pg->rig('kill', 'r1');
ok $pg->await(sub { $_->{r1}{role} eq 'unknown' }, 'r1 is gone'), 'when the new primary dies';
is $pg->status->{primary}{role}, 'quarantined', '... the old one is not believed again';
ok $pg->choose(position => $pg->position('primary'), class => 'live')->{hold}, '... and gets no work';

$pg->finish;
done_testing;
