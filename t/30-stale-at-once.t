# 200 visitors request a page that has just expired: all are answered at once, and the backend is asked once.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; } }
CONF
my %expired = (headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]);
$backend->set('/page' => {%expired});
is $t->get('/page')->larder, 'MISS', 'the page is stored, already expired';

# Visitors who are answered while the backend is held did not wait for it.
$backend->set('/page' => {headers => [['Cache-Control', 'max-age=60']], hold => 1});
my @answers = $t->many(200, '/page');
is scalar(grep { $_->status == 200 && $_->body eq "/page render 1\n" } @answers), 200, 'all 200 got the kept page at once';
is scalar(grep { $_->larder eq 'STALE' } @answers), 200, '... as stale';
like $answers[0]->header('Cache-Status'), qr/^larder; hit; ttl=-?\d+/, '... and Cache-Status says so';
ok !defined $answers[0]->header('Warning'), '... and not Warning, which is obsolete';
ok $t->await(sub { $backend->count('/page') == 2 }, 'a refresh'), 'one refresh is under way';
$t->many(50, '/page');
is $backend->stats->{paths}{'/page'}{active}, 1, '... and remains the only one while it lasts';

$backend->release;
ok $t->await(sub { $t->get('/page')->body eq "/page render 2\n" }), 'a moment later the page is fresh';
is $t->get('/page')->larder, 'HIT', '... and a hit';
is $backend->count('/page'), 2, 'the backend rendered twice in all';

done_testing;
