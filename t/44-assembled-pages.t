# A page whose fragments are all in the cache and the same for everybody is kept assembled: with a length, an ETag, 304, HEAD
# and ranges; and only as long as no part of it changes.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 10m;
    server {
        listen @nginx@;
        larder_esi on;
        location /          { larder near; proxy_pass http://@backend@; }
        location /personal/ { larder near; larder_cookie who value; proxy_pass http://@backend@; }
        location /both/     { larder near; larder_cookie who value; proxy_pass http://@backend@; }
        location /if/       { larder near; if ($cookie_who = ann) { set $x 1; } proxy_pass http://@backend@; }
        location = /purge   { larder_purge; }
    }
CONF
sub include { join '', map { "<esi:include src=\"$_\"/>" } @_ }
$backend->set('/' => {body => '<' . include('/a', '/nest') . '>', etag => '"template"'}, '/a' => {body => 'a{n}'},
    '/nest' => {body => '(' . include('/b') . ')'}, '/b' => {body => 'b{n}'},
    '/with-personal' => {body => include('/personal/x', '/a')}, '/personal/x' => {body => 'who={cookie:who}'},
    '/both/page' => {body => include('/both/x')}, '/both/x' => {body => 'who={cookie:who}'},
    '/var' => {body => include('/a') . '<esi:vars>$(QUERY_STRING{x})</esi:vars>'}, '/with-if' => {body => include('/if/x')}, '/if/x' => {body => 'x'});

sub whole { my $answer = $t->get($_[0], @_ > 1 ? (headers => [Cookie => $_[1]]) : ()); defined $answer->header('Content-Length') }

ok $t->await(sub { $t->get('/')->header('ETag') }), 'a page is kept whole';
my $page = $t->get('/');
is $page->body, '<a1(b1)>', '... with its parts';
is $page->header('Content-Length'), length '<a1(b1)>', '... and its own length';
isnt $page->header('ETag'), '"template"', '... and an ETag that is not the template\'s';
is $t->get('/', headers => ['If-None-Match' => $page->header('ETag')])->status, 304, '... 304 for who has it';
is $t->get('/', headers => [Range => 'bytes=1-2'])->body, 'a1', '... ranges of it';
is $t->head('/')->header('Content-Length'), length '<a1(b1)>', '... HEAD of it';

for my $part (qw(/a /b /nest /)) {
    my $etag = $t->get('/')->header('ETag');
    $t->request(method => 'POST', path => "/purge?url=$part");
    ok $t->await(sub { my $now = $t->get('/')->header('ETag'); $now && ($part =~ /[ab]/ ? $now ne $etag : 1) }), "$part is purged: the page becomes whole again";
}
is $t->get('/')->body, '<a2(b2)>', '... with the new fragment';
is $t->get('/', headers => ['If-None-Match' => $page->header('ETag')])->status, 200, '... and no 304 for who has the old one';

for my $who (qw(ann bob ann)) {
    is $t->get('/with-personal', headers => [Cookie => "who=$who"])->body, "who=${who}a2", "a page with a part of ${who}'s" for 1 .. 3;
}
ok !whole('/with-personal', 'who=ann'), '... is never kept whole: its key does not tell people apart';
ok $t->await(sub { whole('/both/page', 'who=ann') }), '... unless the page\'s own key distinguishes the visitors as well';
is $t->get('/both/page', headers => [Cookie => "who=$_"])->body, "who=$_", "... for $_" for qw(ann bob ann);
$t->get('/var?x=1') for 1 .. 3;
ok !whole('/var?x=1'), 'nor is one with variables';
$t->get('/with-if') for 1 .. 3;
ok !whole('/with-if'), 'nor one with a part whose location has conditions';

done_testing;
