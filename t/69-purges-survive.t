# An acknowledged purge takes effect, even if larderd is killed before a store has taken it, or the store afterwards.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $purge   = "[purge]\ndirectory = \"\@dir\@/purges\"\n";
my $d       = Larder::Test::Daemon->start($t, more => $purge);
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600, stale-while-revalidate=600'], ['Surrogate-Key', 'all {path}']], body => '{n}'});
my $warm = sub {
    my ($path) = @_;
    $d->ask('warm', $d->url($path));
    $t->await(sub { $backend->count($path) && $d->entry($path) }, "$path stored");
};
my $renders = sub { my ($path, $count) = @_; $t->await(sub { $backend->count($path) == $count }, "render $count of $path", 30) };

# The store is down, and larderd dies with an acknowledged purge.
$warm->('/page');
is $redis->cli('SAVE'), 'OK', 'Redis has a snapshot of a page';
$redis->kill;
my $answer = $d->ask('purge', '--tag', 'all');
is_deeply [@$answer{qw(purged stores_waiting)}], [1, 1], 'while it is dead, a purge is acknowledged';
$d->server->restart;
is $d->status->{purges_waiting}, 1, 'larderd is killed, and a new one knows of the purge';
$redis->restart;
ok $renders->('/page', 2), '... and makes it when Redis is back with its page';
ok $t->await(sub { $d->status->{purges_waiting} == 0 }, 'empty outbox'), '... once';

# Redis takes the purge, and loses it in a restart.
$t->await(sub { $d->entry('/page')->{verdict} eq 'fresh' }, 'fresh');
$redis->cli('SAVE');
$d->ask('purge', '--tag', 'all');
ok $renders->('/page', 3), 'Redis takes a purge';
$redis->kill;
$redis->restart;
ok $renders->('/page', 4), '... and is killed; when it is back with the older page, the purge is made again';
like $d->log, qr/store main came back without 1 purges/, '... which the log says';
is $d->request(path => '/metrics')->body =~ /^larderd_purges_repeated_total (\d+)/m && $1, 1, '... and a metric';

# The same while larderd is dead.
$t->await(sub { $d->entry('/page')->{verdict} eq 'fresh' }, 'fresh');
$redis->cli('SAVE');
$d->ask('purge', '--hard', '--tag', '/page');
ok $renders->('/page', 5), 'a hard purge';
$d->server->kill;
$redis->kill;
$redis->restart;
$d->server->restart;
ok $renders->('/page', 6), '... survives the death of both';

# A Redis that has lost nothing gets no purge again: pages rendered since then stay fresh.
$t->await(sub { $d->entry('/page')->{verdict} eq 'fresh' }, 'fresh');
$redis->cli('SAVE');
$redis->kill;
$redis->restart;
$d->server->restart;
$warm->('/other');
$d->ask('purge', '--tag', '/other');
$renders->('/other', 2);
is $backend->count('/page'), 6, 'one that lost nothing gets no purge again';

# A purge through nginx is acknowledged once larderd has it on disk.
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    server { listen @nginx@; location = /larder_purge { larder_purge; } location / { larder main; proxy_pass http://@backend@; } }
CONF
$t->await(sub { $d->entry('/page')->{verdict} eq 'fresh' }, 'fresh');
$redis->cli('SAVE');
is $nginx->purge('tag=all')->status, 200, 'a purge through nginx is acknowledged';
$redis->kill;
$nginx->kill;
$d->server->kill;
$redis->restart;
$d->server->restart;
ok $renders->('/page', 7), '... and survives the death of nginx, larderd and Redis right after';
$nginx->restart;
$t->await(sub { $redis->cli('EXISTS', 'larder:{purge}kept') }, 'larderd keeps purges');
$d->server->signal('STOP');
my $unkept = $nginx->purge('tag=all');
is $unkept->status, 503, 'while larderd does not answer for it, the purge is made, but not acknowledged';
like $unkept->body, qr/"error":"larderd has not kept it: main"/, '... with the reason';
$d->server->signal('CONT');
$t->await(sub { $nginx->purge('tag=all')->status == 200 }, 'larderd back');
$d->server->kill;
$t->await(sub { !$redis->cli('EXISTS', 'larder:{purge}kept') }, 'nobody keeps purges');
is $nginx->purge('tag=all')->status, 200, 'where no larderd keeps purges, nginx waits for none';
$d->server->restart;

my $second = $t->file('second.toml', Larder::Test::Daemon->toml(backend => '', name => 'second', more => $purge));
my ($code, $said) = $t->run_command([$t->larderd_path, '-c', $second]);
is $code, 1, 'a second larderd with the same directory does not start';
like $said, qr{purge\.directory: \S+/purges: another larderd uses it}, '... and says why';
done_testing;
