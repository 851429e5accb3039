# A page is assembled from its fragments: in order, in parallel, each stored by itself.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        location / { proxy_pass http://@backend@; }
        location /off/  { larder_esi off;  proxy_pass http://@backend@; }
        location /auto/ { larder_esi auto; proxy_pass http://@backend@; }
    }
CONF
sub include { join '', map { "<esi:include src=\"$_\"/>" } @_ }

$backend->set(
    '/page'   => {body => '<p>' . join('|', map { include("/frag/$_") } 1 .. 10) . '</p>', etag => '"t1"'},
    '/frag/*' => {body => '[{path}]', hold => 1},
);
my $load = $t->load(['/page'], clients => 1);
ok $t->await(sub { $backend->stats->{active} == 10 }), 'all ten fragments are asked for at the same time';
$backend->release;
ok $t->await(sub { $load->count >= 1 }), 'the page arrives';
$load->stop;
my $expected = '<p>' . join('|', map { "[/frag/$_]" } 1 .. 10) . '</p>';
my $page = $t->get('/page');
is $page->body, $expected, '... with its fragments in their places';
ok $page->complete, '... whole';
is $page->larder, 'HIT', '... and the template is kept';
is $backend->count("/frag/$_"), 1, "fragment $_ is kept" for 1, 10;
is $t->get('/frag/3')->larder, 'HIT', 'a fragment is a page like any other';

my $head = $t->head('/page');
is $head->status, 200, 'HEAD of the page';
is $head->body, '', '... has no body';
ok !defined $head->header('Content-Length') || $head->header('Content-Length') == length $expected,
    '... nor a length that is not the assembled page\'s';
isnt +($page->header('ETag') // ''), '"t1"', 'the template\'s ETag does not stand for the page';
is $t->get('/page', headers => [Range => 'bytes=0-3'])->status, 200, 'no range of the template is taken for one of the page'
    unless defined $page->header('Content-Length');

# [what, template, page]
my @documents = (
    ['comment',        'a<esi:comment text="secret"/>b', 'ab'],
    ['remove',         'a<esi:remove><p>plain</p></esi:remove>b', 'ab'],
    ['<!--esi -->',    'a<!--esi ' . include('/frag/1') . '-->b', 'a [/frag/1]b'],
    ['plain comment',  'a<!-- x -->b', 'a<!-- x -->b'],
    ['query in src',   include('/arg?x=1&amp;y=2'), 'x=1&y=2'],
    ['relative src',   include('frag/1'), '[/frag/1]'],
    ['two levels',     include('/inner'), '<[/frag/1]>'],
    ['empty fragment', 'a' . include('/nothing') . 'b', 'ab'],
    ['markup that is broken passes through', 'a<esi:include b', 'a<esi:include b'],
    ['bytes of any kind', "\x{e4}\0\x01<", "\x{e4}\0\x01<"],
);
$backend->set(
    '/inner' => {body => '<' . include('/frag/1') . '>'}, '/arg' => {body => '{query}'}, '/nothing' => {body => ''},
);
my $n = 0;
for my $document (@documents) {
    my ($what, $template, $page) = @$document;
    utf8::encode(my $bytes = $page);
    my $path = '/document-' . ++$n;
    $backend->set($path => {body => $template});
    is $t->get($path)->body, $bytes, "$what, when fetched";
    is $t->get($path)->body, $bytes, "$what, when kept";
}

$backend->set(map { ("/$_/page" => {body => include('/frag/1')}) } qw(off auto));
$backend->set('/auto/told' => {body => include('/frag/1'), headers => [['Surrogate-Control', 'max-age=60, content="ESI/1.0"']]});
is $t->get('/off/page')->body, include('/frag/1'), 'ESI off: markup passes through';
is $t->get('/auto/page')->body, include('/frag/1'), 'ESI auto: so it does unless the answer says ESI/1.0';
is $t->get('/auto/told')->body, '[/frag/1]', '... and then it is assembled';
$backend->set('/script.js' => {body => include('/frag/1'), type => 'image/png'});
is $t->get('/script.js')->body, include('/frag/1'), 'an image is no ESI document';

done_testing;
