# A purge of many pages delays neither the refresh of a visited page nor a purge of a single page.
use Larder::Test;
use Larder::Test::Daemon;

my $pages   = 300;
my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my @headers = (headers => [['Cache-Control', 'max-age=600, stale-while-revalidate=600'], ['Surrogate-Key', 'all']]);
$backend->set('/*' => {@headers});
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m; larder_store main redis://@redis@ timeout=5s; larder_daemon redis://@redis@;
    server { listen @nginx@; server_name example.com; location / { larder main; proxy_pass http://@backend@; proxy_set_header Host $host; } }
CONF
my $d = Larder::Test::Daemon->start($t, backend => 'concurrency = 1');
$d->ask('warm', map { $d->url($_) } map { "/$_" } 1 .. $pages);
$d->await_jobs(stored => $pages);
my @as = (headers => [Host => 'example.com']);
$t->await(sub { $nginx->get('/visited', @as)->larder eq 'HIT' });
$t->await(sub { $nginx->get('/alone', @as)->larder eq 'HIT' });

my $before = $backend->log;
$backend->set('/*' => {@headers, hold => 1});
$d->ask('purge', '--tag', 'all');
ok $t->await(sub { $d->status->{queue}{queued} > $pages - 100 }, 'queue', 30), 'a purge of many pages waits for its renders';
ok $t->await(sub { $nginx->get('/visited', @as)->larder eq 'STALE' }), 'somebody visits one of them';
$d->ask('purge', '--url', $d->url('/alone'));
ok $t->await(sub { $redis->cli('LLEN', 'larder:{purge}pending') == 0 }, 'walk'), 'one page is purged once more';
my $key = $d->ask('explain', $d->url('/visited'))->{key};
ok $t->await(sub { $redis->cli('ZSCORE', 'larder:{queue}running', $key) }, 'claim', 30), 'larderd has the visited page in hand';
$backend->set('/*' => {@headers});
$backend->release;
ok $t->await(sub { $backend->log >= $before + $pages + 2 }, 'renders', 60), 'all are rendered';
my @order = map { $_->{path} } $backend->log;
splice @order, 0, $before;
my ($visited, $alone) = map { my $path = $_; (grep { $order[$_] eq $path } 0 .. $#order)[0] } '/visited', '/alone';
# The first 64 pages of a purge go before its others. The visited page may be one of them, and in line already when somebody
# visits it. So this leaves room for them, and for what larderd has claimed already.
cmp_ok $visited, '<', 100, 'the visited page is among the first';
cmp_ok $alone, '<', 120, 'and so is the one that was purged alone';
done_testing;
