# A visitor with a session gets a page from cache only if the site declared it for everybody.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    larder_refresh inline;
    server {
        listen @nginx@;
        larder near;
        larder_cookie sid presence;
        location / { proxy_pass http://@backend@; }
        location /store/  { larder main near=off; proxy_pass http://@backend@; }
        location /static/ { larder_audience everybody; proxy_pass http://@backend@; }
        location /esi/    { larder_esi on; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $body  = '{path} of {cookie:sid} render {n}';
my @word  = ['Larder-Audience', 'everybody'];
my @aging = ['Cache-Control', 'max-age=0, stale-while-revalidate=600'];
$backend->set('/*' => {body => $body}, map({ $_ => {body => $body, headers => [@word]} } qw(/all /first /store/all)),
    '/aging' => {body => $body, headers => [@word, @aging]}, '/etag' => {body => $body, etag => '"1"', headers => [@word, ['Cache-Control', 'no-cache']]},
    '/set' => {body => $body, headers => [@word, ['Set-Cookie', 'a=1']]}, '/other-word' => {body => $body, headers => [['Larder-Audience', 'somebody']]});
my $ask = sub { my ($path, $sid) = @_; $t->get($path, headers => [$sid ? (Cookie => "sid=$sid") : ()]) };
my $shows = sub { my $r = $ask->(@_); [$r->body, $r->larder] };

# Rendered without a session, and declared for everybody.
is_deeply $shows->('/all'), ['/all of  render 1', 'MISS'], 'a page that says that it is everybody\'s';
is_deeply $shows->('/all', 'ann'), ['/all of  render 1', 'HIT'], '... is for visitors with a session, too';
is scalar($ask->('/all', 'ann')->header('Larder-Audience')), undef, '... and Larder-Audience is not sent to the client';
is_deeply $shows->('/page'), ['/page of  render 1', 'MISS'], 'a page without Larder-Audience';
is_deeply $shows->('/page', 'ann'), ['/page of ann render 2', 'PASS'], '... is not';
is_deeply $shows->('/other-word'), ['/other-word of  render 1', 'MISS'], 'one that says something else';
is_deeply $shows->('/other-word', 'ann'), ['/other-word of ann render 2', 'PASS'], '... is not';
is_deeply [map { @{$shows->('/static/x', $_)} } '', 'ann'], ['/static/x of  render 1', 'MISS', '/static/x of  render 1', 'HIT'], 'a location where all is everybody\'s';
is_deeply [map { @{$shows->('/store/all', $_)} } '', 'ann'], ['/store/all of  render 1', 'MISS', '/store/all of  render 1', 'HIT'], 'from a store';

# The first visitor has a session: they get their own answer, and a refresh without the session renders the page for all.
is_deeply $shows->('/first', 'ann'), ['/first of ann render 1', 'PASS'], 'a session that asks first gets its own';
$t->await(sub { $backend->count('/first') == 2 }, 'the render for everybody');
ok $t->await(sub { $ask->('/first', 'ann')->larder eq 'HIT' }), '... and soon what everybody gets';
is_deeply $shows->('/first', 'bob'), ['/first of  render 2', 'HIT'], '... which was made for nobody';
$ask->('/set', 'ann') for 1 .. 5;
$t->await(sub { $backend->count('/set') == 6 }, 'the attempt to keep it');
$ask->('/set', 'ann') for 1 .. 5;
is $backend->count('/set'), 11, 'what says so but can\'t be kept is tried once, and not for each of them';

# Stale, revalidated or purged: as for other visitors.
$ask->('/aging');
is_deeply $shows->('/aging', 'ann'), ['/aging of  render 1', 'STALE'], 'a stale page';
ok $t->await(sub { $ask->('/aging', 'ann')->body =~ /of  render [2-9]/ }), '... is renewed, without a session';
$ask->('/etag');
is_deeply $shows->('/etag', 'ann'), ['/etag of  render 1', 'REVALIDATED'], 'one that is validated each time';
$t->purge('url=http://' . $t->{nginx}->address . '/all&mode=hard');
is_deeply $shows->('/all', 'ann'), ['/all of ann render 2', 'PASS'], 'one that was purged hard is no longer here';

# The site withdraws its declaration.
$backend->set('/etag' => {body => $body});
is_deeply $shows->('/etag', 'ann'), ['/etag of ann render 4', 'PASS'], 'a page that is no longer everybody\'s';
ok $t->await(sub { $ask->('/etag')->larder eq 'HIT' }), '... is kept for visitors without a session';
is $ask->('/etag', 'ann')->larder, 'PASS', '... alone';

# A page may be for everybody while its fragments are not.
$backend->set('/esi/page' => {body => '<p><esi:include src="/esi/menu"/><esi:include src="/esi/visitor"/>', headers => [@word]},
    '/esi/menu' => {body => 'menu {n} ', headers => [@word]}, '/esi/visitor' => {body => 'for {cookie:sid}.'});
is $ask->('/esi/page')->body, '<p>menu 1 for .', 'a page of fragments' for 1 .. 3;
is $ask->('/esi/page', 'ann')->body, '<p>menu 1 for ann.', '... has the visitor\'s own where it says so' for 1 .. 2;
is $ask->('/esi/page', 'bob')->body, '<p>menu 1 for bob.', '... each';
is $ask->('/esi/page')->body, '<p>menu 1 for .', '... and nobody else\'s' for 1 .. 2;
is $backend->count('/esi/page'), 1, '... from one template';

# While a page is being filled, visitors with a session wait only if it is for everybody.
$backend->set('/held' => {hold => 1, body => $body});
my $filling = $t->load(['/held'], clients => 1);
$t->await(sub { $backend->stats->{active} == 1 });
my $session = $t->load(['/held'], clients => 3, headers => [Cookie => 'sid=ann']);
ok $t->await(sub { $backend->stats->{active} == 4 }), 'sessions don\'t wait for others\' pages';
$backend->release;
$_->stop for $filling, $session;

done_testing;
