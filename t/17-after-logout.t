# After a logout the pages of the session are not shown again: pages can be configured as never stale, and a hard purge acts at
# once.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF', workers => 2);
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1h;
    server {
        listen @nginx@;
        larder_cookie sid private store;
        location /near/  { larder near; larder_stale never; proxy_pass http://@backend@; }
        location /store/ { larder main; larder_stale never; proxy_pass http://@backend@; }
        location /usual/ { larder main; proxy_pass http://@backend@; }
        location /group/page { larder main; larder_group /group/of cookie=sid valid=1h timeout=30s; proxy_pass http://@backend@; }
        location = /group/of { internal; larder main; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my @session = (headers => [Cookie => 'sid=ann']);
my @tag     = ['Surrogate-Key', 'session:ann'];
my $in      = {body => 'account of ann', headers => [@tag, ['Cache-Control', 'private, max-age=600, stale-while-revalidate=600, stale-if-error=600']]};
my $out     = {body => 'please log in', headers => [['Cache-Control', 'no-store']]};

# [location, the purge mode of the logout, whether the backend is reachable then]
for my $case (map({ my $place = $_; map { [$place, $_, 'ok'], [$place, $_, 'fail'] } 'soft', 'hard' } qw(near store)), ['usual', 'hard', 'ok'], ['usual', 'hard', 'fail']) {
    my ($place, $mode, $then) = @$case;
    my $page = "/$place/$mode-$then";
    $backend->set($page => $in);
    $t->get($page, @session);
    ok $t->await(sub { $t->get($page, @session)->larder eq 'HIT' }), "$page: the account is kept for its owner";
    $backend->set($page => $out);
    is $t->purge("tag=session:ann&mode=$mode")->status, 200, '... who logs out';
    $backend->mode($then);
    my @after = map { $t->get($page, @session) } 1 .. 3;
    is scalar(grep { $_->body =~ /account/ } @after), 0, '... and who has the cookie still gets nothing of it' or diag join ' ', map { $_->larder } @after;
    $backend->mode('ok');
}

$backend->set('/group/of' => {body => 'staff', headers => [@tag, ['Cache-Control', 'max-age=600, stale-while-revalidate=600, stale-if-error=600']]},
    '/group/page' => {body => 'for {header:larder-group}'});
$t->get('/group/page', @session);
is $t->get('/group/page', @session)->body, 'for staff', 'a page of the group of a session';
$backend->set('/group/of' => {body => '', headers => [['Cache-Control', 'no-store']]});
$t->purge('tag=session:ann&mode=soft');
is $t->get('/group/page', @session)->body, 'for ', '... is not shown any more, even after a soft purge';

done_testing;
