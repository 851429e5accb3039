# No job is lost or done twice when larderd is killed or drained, when two of them share a queue, or when Redis fails and comes back.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$backend->set('/quick*' => {headers => [['Cache-Control', 'max-age=600']]});
my $first = Larder::Test::Daemon->start($t, name => 'first', more => "[render]\ndrain = \"1s\"\n");
my $hold   = sub { $backend->set($_[0] => {headers => [['Cache-Control', 'max-age=600']], hold => 1}) };
my $active = sub { my ($path, $count) = @_; $t->await(sub { (($backend->stats->{paths}{$path} || {})->{count} // 0) == $count }, "render $count of $path") };

$hold->('/a');
$first->ask('warm', $first->url('/a'));
ok $active->('/a', 1), 'while larderd renders a page';
$first->server->kill;
ok $t->await(sub { !$redis->cli('EXISTS', 'larder:{queue}alive') }, 'silence'), 'it dies, and enqueuers learn of it within its heartbeat';
my $second = Larder::Test::Daemon->start($t, name => 'second');
ok $active->('/a', 2), 'another daemon takes the job over when the lease ends';
$backend->release;
ok $second->await_jobs(stored => 1), '... and stores the page';
ok $t->await(sub { $second->status->{queue}{running} == 0 }, 'queue at rest'), '... and the queue is at rest';
is $backend->count('/a'), 2, '... after exactly one more render';

# A drain during a render: the render gets time to finish; then the job goes to the other larderd at once, before the lease expires.
$first->server->restart;
$second->ask('drain');
ok $t->await(sub { !$second->server->alive }, 'exit'), 'larderctl drain ends a daemon that has nothing to do';
is $second->server->exit_text, 'exit code 0', '... with success';
$second->server->{expected_death} = 1;
ok $t->await(sub { $redis->cli('EXISTS', 'larder:{queue}alive') }, 'heartbeat'), '... and the other one still announces itself';
$hold->('/b');
$first->ask('warm', $first->url('/b'));
$active->('/b', 1);
$first->server->signal('TERM');
ok $t->await(sub { $first->log =~ /draining, 1 jobs in hand/ }, 'drain'), 'SIGTERM during a render begins a drain';
ok $t->await(sub { !$redis->cli('EXISTS', 'larder:{queue}alive') }, 'withdrawal'), '... which tells enqueuers at once';
$backend->release;
ok $t->await(sub { !$first->server->alive }, 'exit'), '... waits for the render';
is $first->server->exit_text, 'exit code 0', '... and exits with success';
$first->server->restart;
is $first->entry('/b')->{verdict}, 'fresh', '... having stored it';

$hold->('/c');
$first->ask('warm', $first->url('/c'));
$active->('/c', 1);
$first->server->signal('TERM');
ok $t->await(sub { !$first->server->alive }, 'exit'), 'a render that outlasts render.drain does not hold up the exit';
is $redis->cli('ZCARD', 'larder:{queue}due'), 1, '... and its job is back in the queue';
$first->server->restart;
ok $active->('/c', 2), '... for the next daemon, at once';
$backend->release;
$first->await_jobs(stored => 1);

# Redis dies and comes back empty, several times: larderd recovers without help.
for my $round (1 .. 3) {
    $redis->kill;
    ok $t->await(sub { $first->status->{queue}{error} }, 'error'), "round $round: the status says that the queue is away";
    $redis->restart;
    ok $t->await(sub { $redis->cli('EXISTS', 'larder:{queue}alive') }, 'heartbeat', 2), '... and within 2 s of its return larderd is back';
    $first->ask('warm', $first->url("/quick$round"));
    ok $t->await(sub { $backend->count("/quick$round") == 1 }, 'render'), '... and renders';
}

# A job whose every attempt kills larderd is given up as well.
$redis->cli('FLUSHALL');
$hold->('/poison');
$t->await(sub { $redis->cli('EXISTS', 'larder:{queue}alive') }, 'heartbeat');
$first->ask('warm', $first->url('/poison'));
for my $death (1 .. 5) {
    $active->('/poison', $death);
    $first->server->restart;
}
ok $t->await(sub { $first->status->{queue}{given_up} == 1 }, 'poison'), 'a job that five daemons died of is given up';
is $backend->count('/poison'), 5, '... after five renders';
done_testing;
