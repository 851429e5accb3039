# Whenever the group of a session can't be found out, the visitor gets their own page from the site, and nobody gets the page of a group
# that they aren't in.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_valid 1h;
    server {
        listen @nginx@;
        larder near;
        larder_group /group cookie=sid timeout=30s;
        location / { proxy_pass http://@backend@; }
        location /impatient { larder_group /group cookie=sid timeout=100ms; proxy_pass http://@backend@; }
        location /kept { larder_group /kept-group cookie=sid valid=1s error=1h timeout=30s; proxy_pass http://@backend@; }
        location /nowhere { larder_group /denied cookie=sid; proxy_pass http://@backend@; }
        location /esi { larder_esi on; proxy_pass http://@backend@; }
        location /off { larder off; proxy_pass http://@backend@; }
        location /none { larder_group off; larder_cookie sid presence; proxy_pass http://@backend@; }
        location = /denied { deny all; return 403; }
    }
CONF
$backend->set('/*' => {body => 'group={header:larder-group} sid={cookie:sid}'});
my $n   = 0;
my $ask = sub { my ($path, $sid, @more) = @_; my $r = $t->get($path, headers => [Cookie => 'sid=' . ($sid || 's' . ++$n), @more]); [$r->body, $r->larder] };

# [the backend's answer to the request for the group, why it is not a group]
my @bad = (
    [{status => 500}, 'an error'],
    [{status => 404, body => 'staff'}, 'not found'],
    [{status => 302, body => 'staff', headers => [['Location', '/login']]}, 'a redirect'],
    [{body => 'x' x 257}, 'too long'],
    [{body => "staff\r\nX-Evil: 1"}, 'two lines'],
    [{body => "staff\0"}, 'a control character'],
    [{body => "caf\x{c3}\x{a9}"}, 'not ASCII'],
    [{fault => 'close'}, 'no answer'],
    [{fault => 'truncate', body => 'staff'}, 'half an answer'],
);
for my $bad (@bad) {
    $backend->set('/group' => $$bad[0]);
    $n++;
    is_deeply $ask->('/page', "s$n"), ["group= sid=s$n", 'BYPASS'], "$$bad[1]: the visitor's own page";
}
$t->expect_log(qr{"/group" tells no group});
like $t->get('/page', headers => [Cookie => 'sid=x'])->header('Cache-Status'), qr/detail=group-failed/, '... and Cache-Status says why';
is_deeply $ask->('/nowhere'), ["group= sid=s$n", 'BYPASS'], 'a location that refuses: the same';

$backend->set('/group' => {hold => 1, body => 'slow'});
is_deeply $ask->('/impatient'), ["group= sid=s$n", 'BYPASS'], 'one that takes too long: the same';
$t->expect_log(qr/took too long to tell a group/);
$backend->release;


# A visitor who leaves during the request for the group.
$backend->set('/group' => {hold => 1, body => 'staff'});
my $leaver = Larder::Test::listens($t->address('nginx'));
print $leaver "GET /page HTTP/1.1\r\nHost: a\r\nCookie: sid=leaver\r\n\r\n";
$leaver->flush;
ok $t->await(sub { ($backend->stats->{paths}{'/group'}{active} // 0) > 0 }), 'one asks, and leaves';
close $leaver;
$backend->release;

# Once the backend has recovered, groups work again.
$backend->set('/group' => {body => " staff \n"});
is_deeply $ask->('/page', 'ann'), ['group=staff sid=', 'MISS'], 'a good answer, without the white space around it';
is_deeply $ask->('/page', 'bob', 'Larder-Group' => 'boss'), ['group=staff sid=', 'HIT'], '... is shared, and nobody can claim another';
is_deeply $ask->('/off', 'bob', 'Larder-Group' => 'boss'), ['group= sid=bob', ''], '... not even where nothing is cached';
is_deeply $ask->('/none', 'bob'), ['group= sid=bob', 'PASS'], 'larder_group off: the location has its own rules';
my $group_asked = $backend->count('/group');
$t->post('/page', 'x', headers => [Cookie => 'sid=ann']);
$ask->('/page', $_) for qw(ann bob);
is $backend->count('/group'), $group_asked + 1, 'a POST has the group of its own session asked anew';
$backend->set('/page' => {status => 400});
$t->post('/page', 'x', headers => [Cookie => 'sid=ann']);
$ask->('/page', 'ann');
is $backend->count('/group'), $group_asked + 1, '... one that failed does not';
is $t->head('/page', headers => [Cookie => 'sid=bob'])->larder, 'HIT', 'HEAD has a group, too';

$backend->set('/group' => {status => 204});
is_deeply [map { $ask->('/page/none', 'of-none')->[0] } 1 .. 3], [('group= sid=') x 3], '204: a session of no group';
is $backend->count('/group'), $group_asked + 2, '... which is kept as well';
$backend->set('/group' => {body => 'staff'});

$backend->set('/esi' => {body => 'page of {header:larder-group} <esi:include src="/part"/>'}, '/part' => {body => 'part of {header:larder-group}'});
is $ask->('/esi', 'ann')->[0], 'page of staff part of staff', 'the fragments of a page have its group';
is $ask->('/esi', 'bob')->[0], 'page of staff part of staff', '... shared with it';
is $backend->count('/part'), 1, '... and rendered once';
is $backend->count('/group'), $group_asked + 2, '... at no more lookups';

# With error=, a known group is used while the backend fails, but not after a logout.
$backend->set('/kept-group' => {body => 'fans', headers => [['Cache-Control', 'max-age=1, stale-while-revalidate=3600'], [Age => '1']]});
is $ask->('/kept', 'ann')->[0], 'group=fans sid=', 'an answer that is stale at once';
$backend->set('/kept-group' => {status => 500}, '/kept' => {headers => [['Set-Cookie', 'sid=; Max-Age=0']]});
is_deeply $ask->('/kept', 'ann'), ['group=fans sid=', 'HIT'], '... counts while the backend fails';
$t->post('/kept', 'logout', headers => [Cookie => 'sid=ann']);
is $ask->('/kept', 'ann')->[1], 'BYPASS', '... but not past the session';

done_testing;
