# A site without Redis: near cache or memcached, and a larderd on the same machine with a unix socket.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $memcached = $t->memcached;
my $d = Larder::Test::Daemon->start($t,
    queue => 'url = "unix:@dir@/jobs.sock"' . "\nsocket_mode = \"0666\"", store => 'url = "memcached://@memcached@"');
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store main memcached://@memcached@ timeout=5s;
    larder_daemon unix:@dir@/jobs.sock timeout=5s;
    server {
        listen @nginx@;
        server_name example.com;
        location / { larder main; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
        location = /larder_status { larder_status; }
    }
CONF
my @as = (headers => [Host => 'example.com']);
my $by_larderd = sub { scalar grep { my %h = map { lc $$_[0] => $$_[1] } @{$_->{headers}}; ($h{'user-agent'} // '') eq 'larderd' } $backend->log };

$backend->set('/page' => {headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]});
$t->get('/page', @as);
$backend->set('/page' => {headers => [['Cache-Control', 'max-age=60'], ['Surrogate-Key', 'page']], hold => 1});
is scalar(grep { $_->larder eq 'STALE' } $t->many(100, {path => '/page', @as})), 100, '100 visitors are answered while the backend is held';
ok $t->await(sub { $by_larderd->() == 1 }), 'larderd asks the backend';
is $backend->count('/page'), 2, '... once';
$backend->release;
ok $t->await(sub { $t->get('/page', @as)->larder eq 'HIT' }), 'the page becomes fresh';
is $t->get('/page', @as)->body, "/page render 2\n", '... as larderd rendered it';
$t->purge('tag=page', @as);
ok $t->await(sub { $t->get('/page', @as)->body eq "/page render 3\n" }), 'a purge has it made anew';

$d->server->kill;
$backend->set('/page' => {headers => [['Cache-Control', 'max-age=60'], ['Surrogate-Key', 'page']], body => 'without larderd'});
$t->purge('tag=page', @as);
is $t->get('/page', @as)->larder, 'STALE', 'with larderd gone a purged page is served once more';
ok $t->await(sub { $t->get('/page', @as)->body eq 'without larderd' }), '... and made anew by nginx itself';
$d->server->restart;
$backend->reset;
$backend->set('/page' => {headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600'], ['Surrogate-Key', 'page']]});
$t->purge('tag=page', @as);
ok $t->await(sub { $t->get('/page', @as); $by_larderd->() > 0 }, 'larderd works', 20), 'and larderd works again when it is back';

done_testing;
