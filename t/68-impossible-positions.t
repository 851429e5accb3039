# A purge may come with a position that no server can ever reach: of another cluster, on an unknown timeline, beyond the end of the log, or
# of a cluster that was restored or upgraded. It is logged, the purge takes effect, and renders go on.
use Larder::Test;
use Larder::Test::Daemon;
use Larder::Test::Replication;

my $t       = Larder::Test->new;
my $pg      = Larder::Test::Replication->start(watch => 0, replicas => 1);
my $backend = $t->backend;
my $redis   = $t->redis;
my $d = Larder::Test::Daemon->start($t, more => <<"TOML");
[signing]
key = "a-key-that-the-site-knows"
[[database]]
name = "default"
primary = { alias = "primary", dsn = '''$pg->{dsn}{primary}''' }
probe_interval = "50ms"
probe_timeout = "2s"
primary_jobs = 0
[[database.replica]]
alias = "r1"
dsn = '''$pg->{dsn}{r1}'''
TOML
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', 'all']]});
my $node = sub { my ($alias) = @_; (grep { $_->{alias} eq $alias } map { @{$_->{nodes}} } @{$d->ask('replicas')->{databases}})[0] };
$t->await(sub { $node->('r1')->{in_rotation} }, 'r1 in rotation', 30);
my ($system, $real) = $pg->position('primary') =~ m{^default/(\d+)/(.*)} or die;
my $refused = sub { $d->request(path => '/metrics')->body =~ /^larderd_positions_refused\{database="default"\} (\d+)/m ? $1 : undef };
$d->ask('warm', $d->url('/page'));
$d->await_jobs(stored => 1);
is $refused->(), 0, 'no position was refused so far';

my $renders = 1;
my $count   = 0;
for my $position ('default/9/100', 'default/1/FFFFFFFFFFFFFFFF', "default/$system/7/1", 'default/1234567/1/100', 'r1/4294967295/0',
    'elsewhere/1/100') {
    is $d->ask('purge', '--tag', 'zzz', '--position', $position)->{purged}, 1, "$position: the purge is taken";
    $d->ask('purge', '--tag', 'all', '--position', $position);
    ok $t->await(sub { $backend->count('/page') > $renders }, 'render', 30), '... and the page rendered anew';
    $renders = $backend->count('/page');
    ok $t->await(sub { $refused->() == $count + 1 }, 'metric'), '... which counts as a position refused';
    $count++;
    like $d->log, qr/position \Q$position\E can't be: .*; it stands for 1\//, '... and is an alarm in the log';
    if ($position !~ /^elsewhere/) {
        my ($name) = $position =~ m{^([^/]+)};
        ok $t->await(sub { $redis->cli('HGET', 'larder:{purge}positions', $name) =~ m{^$name/$system/1/[0-9A-F]+$} }, 'replacement'),
            '... and is forgotten for what the primary had';
    }
}
my $fine = $pg->write;
$d->ask('purge', '--tag', 'all', '--position', $fine);
ok $t->await(sub { $backend->count('/page') > $renders }, 'render', 30), 'a position that the primary gave is waited for';
is $refused->(), $count, '... and no alarm';

# The replacement is a fence: the render waits for what the primary had written when the position came.
$renders = $backend->count('/page');
$pg->rig('pause', 'r1');
$pg->write;
my $postponed = $d->status->{jobs}{postponed};
$d->ask('purge', '--tag', 'all', '--position', 'default/8/1');
ok $t->await(sub { $d->status->{jobs}{postponed} > $postponed + 3 }, 'held'), 'while the replica lacks a write that came before';
is $backend->count('/page'), $renders, '... the page is not rendered from it';
$pg->rig('resume', 'r1');
ok $t->await(sub { $backend->count('/page') > $renders }, 'render', 30), '... but as soon as it has replayed that';

# Redis remembers positions of a cluster that was restored or upgraded, over a restart of larderd.
$t->await(sub { my $q = $d->status->{queue}; !$q->{queued} && !$q->{running} }, 'rest');
$renders = $backend->count('/page');
$redis->cli('HSET', 'larder:{purge}positions', 'default', 'default/7000000000000000001/5/FFFFFFFFFF');
$d->server->restart;
$d->ask('purge', '--tag', 'all', '--position', $pg->write);
ok $t->await(sub { $backend->count('/page') > $renders }, 'render', 30), 'positions of the former cluster hold nothing up';

for my $position ('default', 'default/1', 'a b/1/1', 'default/1/xyz', 'default/0/1/1', 'default/1/1/1/1', "default/1/1\n") {
    my $body = JSON::PP::encode_json({tags => ['all'], position => $position});
    my $answer = $d->request(method => 'POST', path => '/v1/purge', body => $body, headers => ['Content-Type' => 'application/json']);
    is $answer->status, 400, JSON::PP::encode_json([$position]) . ' is refused';
    like $answer->body, qr{position: .*legal: NAME/SYSTEM/TIMELINE/LSN}, '... with what is legal';
}
is $d->request(method => 'POST', path => '/v1/purge', anonymous => 1, body => '{"tags":["all"],"position":"default/9/1"}')->status, 401,
    'nobody sends positions without the token';
$pg->finish;
done_testing;
