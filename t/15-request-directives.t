# Client directives to caches (RFC 9111 section 5.2.1): by default no client can cause requests to the backend; where the
# operator honours the directives, clients get what they ask for.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder near;
    larder_stale while=1h error=1h;
    larder_refresh off;
    map $http_x_staff $staff { boss 1; }
    server {
        listen @nginx@;
        location /default/ { proxy_pass http://@backend@; }
        location /on/      { larder_request_control on; proxy_pass http://@backend@; }
        location /some/    { larder_request_control min-fresh only-if-cached; proxy_pass http://@backend@; }
        location /staff/   { larder_request_control on if=$staff; proxy_pass http://@backend@; }
        location /store/   { larder main near=off; larder_request_control on; proxy_pass http://@backend@; }
    }
CONF
# Made 30 s ago and fresh for 60 s; /old/: fresh for 20 s.
$backend->set("/$_/page" => {etag => '"v1"', headers => [['Cache-Control', 'max-age=60'], [Age => '30']]}) for qw(default on some staff store);
$backend->set('/on/secret' => {headers => [['Cache-Control', 'max-age=60']]});
$backend->set('/on/old' => {headers => [['Cache-Control', 'max-age=20'], [Age => '30']]});
my $get = sub {
    my ($path, $asks, @more) = @_;
    my $r = $t->get($path, headers => [($asks ? ('Cache-Control' => $asks) : ()), @more]);
    return join ' ', $r->status, $r->larder, $r->header('Cache-Status') =~ /(fwd=[\w-]+)/ ? $1 : ();
};

# [location, request's Cache-Control, result, reason]
my @answers = (
    ['default/page', 'no-cache',                '200 HIT', 'nobody can reload a page for the backend'],
    ['default/page', 'max-age=0',               '200 HIT', '... nor this way'],
    ['default/none', 'only-if-cached',          '200 MISS fwd=uri-miss', '... nor is anybody refused'],
    ['on/page',      undef,                     '200 HIT', 'who asks for nothing special gets what is here'],
    ['on/page',      'max-age=60',              '200 HIT', 'younger than max-age'],
    ['on/page',      'max-age=10',              '200 REVALIDATED fwd=request', 'older than max-age: the backend is asked'],
    ['on/page',      'No-Cache',                '200 REVALIDATED fwd=request', 'no-cache: the backend is asked'],
    ['on/page',      'max-age=soon, no-cach',   '200 HIT', 'nonsense asks for nothing'],
    ['on/page',      'min-fresh=20',            '200 HIT', 'fresh for long enough'],
    ['on/page',      'min-fresh=40',            '200 REVALIDATED fwd=request', 'not fresh for long enough'],
    ['on/old',       undef,                     '200 STALE', 'stale is served by the contract'],
    ['on/old',       'max-stale=20',            '200 STALE', '... and to who takes it so stale'],
    ['on/old',       'max-stale=5',             '200 MISS fwd=stale', '... not to who wants it less so'],
    ['on/old',       'max-age=100',             '200 MISS fwd=stale', '... nor to who does not say that stale will do'],
    ['on/old',       'max-age=100, max-stale',  '200 STALE', '... unless any will'],
    ['on/page',      'only-if-cached',          '200 HIT', 'only-if-cached: what is here'],
    ['on/page',      'only-if-cached, no-cache', '504 ERROR', '... or 504, if it will not do'],
    ['on/none',      'only-if-cached',          '504 ERROR', '... or is not here'],
    ['some/page',    'no-cache, max-age=0',     '200 HIT', 'only what is named is honoured'],
    ['some/page',    'min-fresh=40',            '200 REVALIDATED fwd=request', '... that it is'],
    ['staff/page',   'no-cache',                '200 HIT', 'only for whom the operator says'],
    ['store/page',   'only-if-cached',          '200 HIT', 'only-if-cached asks the store'],
);
$get->("/$_/page") for qw(default on some staff store);
$get->('/on/old');
is $get->("/$$_[0]", $$_[1]), $$_[2], "$$_[0] with " . ($$_[1] // 'nothing') . ": $$_[3]" for @answers;
is $get->('/on/page', undef, Pragma => 'no-cache'), '200 HIT', 'Pragma asks for nothing';
is $get->('/staff/page', 'no-cache', 'X-Staff' => 'boss'), '200 REVALIDATED fwd=request', '... for those it is';
is $backend->count('/on/none') + $backend->count('/default/page'), 1, 'what is refused or ignored costs the backend nothing';

like $t->get('/on/none', headers => ['Cache-Control' => 'only-if-cached'])->header('Cache-Status'), qr/^larder; detail=only-if-cached$/,
    'Cache-Status says why there is nothing';
like $t->get('/on/secret', headers => ['Cache-Control' => 'no-store'])->header('Cache-Status'), qr/detail=request-no-store/,
    'no-store: the answer is not kept';
is $get->('/on/secret'), '200 MISS fwd=uri-miss', '... so the next one asks the backend';

# Many concurrent reloads cause one render; and if the backend fails, they get the stored page.
$backend->set('/on/page' => {delay => 0.3, headers => [['Cache-Control', 'max-age=60']]});
my $before = $backend->count('/on/page');
my @all    = $t->many(20, sub { {path => '/on/page', headers => ['Cache-Control' => 'no-cache']} });
is scalar(grep { $_->status == 200 } @all), 20, 'twenty who reload at once get their page';
cmp_ok $backend->count('/on/page') - $before, '<=', 2, '... from one render, two if some came after it had begun';
$backend->set('/on/page' => {status => 503});
is $get->('/on/page', 'no-cache'), '200 ERROR-STALE', 'a page that was here is served if the backend fails';

done_testing;
