# A page that is sent stale because of a purge limits how long caches and browsers behind Larder keep it, as the purge does not
# reach them.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store store redis://@redis@ timeout=5s;
    server {
        listen @nginx@;
        server_name site;
        larder_refresh off;
        larder_stale while=1h error=1h;
        location /near/  { larder near;           proxy_pass http://@backend@; }
        location /store/ { larder store near=off; proxy_pass http://@backend@; }
        location /bound/ { larder near; larder_stale purged=10s; proxy_pass http://@backend@; }
        location /error/ { larder near; larder_stale while=0 error=1h; proxy_pass http://@backend@; }
        location /esi/   { larder near; larder_esi on; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
# A cache behind Larder, such as a CDN.
my $cdn = $t->nginx(<<'CONF', name => 'cdn');
    proxy_cache_path @dir@/cdn/cache keys_zone=cdn:1m;
    server { listen @cdn@; location / { proxy_cache cdn; proxy_pass http://@nginx@; proxy_set_header Host site; } }
CONF
my @as = (headers => [Host => 'site']);
my @lifetimes = (
    ['Cache-Control', 'public, max-age=600, s-maxage=900, immutable, stale-while-revalidate=60, no-transform'],
    ['Expires', 'Thu, 01 Jan 2099 00:00:00 GMT'], ['Cloudflare-CDN-Cache-Control', 'max-age=900'], ['Edge-Control', 'max-age=900'],
);
my $headers = sub { [@lifetimes, ['Surrogate-Key', $_[0]], ['ETag', '"v1"'], ['Last-Modified', 'Mon, 01 Jan 2024 00:00:00 GMT']] };
my $is_cut = sub {
    my ($answer, $what) = @_;
    is_deeply [map { $_ // '' } map { scalar $answer->header($_) } qw(Cache-Control Expires Cloudflare-CDN-Cache-Control Edge-Control)],
        ['public, max-age=0, s-maxage=0, no-transform', '', '', ''], $what;
};

for my $place (qw(near store)) {
    my $page = "/$place/page";
    $backend->set($page => {body => 'a page', headers => $headers->($place)});
    $t->get($page, @as);
    is scalar $t->get($page, @as)->header('Cache-Control'), $lifetimes[0][1], "$place: a fresh page says what the site said";
    $t->purge("tag=$place", @as);
    my $stale = $t->get($page, @as);
    is $stale->larder, 'STALE', "$place: purged, it is served once more";
    $is_cut->($stale, '... and says that nobody may keep it');
    like scalar $stale->header('Cache-Status'), qr/^larder; hit; ttl=(?:0|-\d+); detail=stale$/, '... Cache-Status too';
    $is_cut->($t->head($page, @as), '... to HEAD');
    my @ask = (['If-None-Match' => '"v1"'] => 304, [Range => 'bytes=0-1'] => 206);
    while (my ($header, $status) = splice @ask, 0, 2) {
        my $answer = $t->get($page, headers => [Host => 'site', @$header]);
        is $answer->status, $status, "... in a $status";
        $is_cut->($answer, '... the same');
    }
}

$backend->set('/near/silent' => {headers => [['CDN-Cache-Control', 'max-age=60'], ['Surrogate-Key', 'silent']]});
$backend->set('/near/own'    => {headers => [['CDN-Cache-Control', 'max-age=60'], ['Cache-Control', 'private, max-age=600'], ['Surrogate-Key', 'silent']]});
$t->get($_, @as) for '/near/silent', '/near/own';
$t->purge('tag=silent', @as);
is scalar $t->get('/near/silent', @as)->header('Cache-Control'), 'max-age=0', 'a page without Cache-Control is sent with max-age=0';
is scalar $t->get('/near/own', @as)->header('Cache-Control'), 'private, max-age=0', 'a private page stays private';

$backend->set('/bound/page' => {headers => $headers->('bound')});
$t->get('/bound/page', @as);
$t->purge('tag=bound', @as);
like scalar $t->get('/bound/page', @as)->header('Cache-Control'), qr/^public, max-age=1\d, s-maxage=1\d, no-transform$/, "with larder_stale purged=";

$backend->set('/error/page' => {headers => [['Cache-Control', 'public, max-age=600, s-maxage=900, no-transform'], ['Surrogate-Key', 'error']]});
$t->get('/error/page', @as);
$t->purge('tag=error', @as);
$backend->set('/error/page' => {status => 503});
my $saved = $t->get('/error/page', @as);
is $saved->larder, 'ERROR-STALE', 'the site fails after the purge';
$is_cut->($saved, '... the old page says the same');

# Pages of fragments.
for my $purged (qw(page fragment)) {
    $backend->set("/esi/$purged/page" => {body => "a<esi:include src=\"/esi/$purged/fragment\"/>", headers => $headers->("$purged-page")});
    $backend->set("/esi/$purged/fragment" => {body => 'b', headers => $headers->("$purged-fragment")});
    $t->get("/esi/$purged/page", @as) for 1 .. 3;
    $t->purge("tag=$purged-$purged", @as);
    my $stale = $t->get("/esi/$purged/page", @as);
    is $stale->body, 'ab', "a page of fragments, the $purged purged";
    $is_cut->($stale, '... says so');
    like scalar $t->head("/esi/$purged/page", @as)->header('Cache-Control'), qr/max-age=0/, '... to HEAD' if $purged eq 'page';
}
is scalar $t->head('/esi/fragment/page', @as)->header('Expires'), undef, "... in a HEAD its fragments are unknown, so is their time";

# A purge that comes during a render.
$backend->set('/near/slow' => {hold => 1, headers => $headers->('slow')});
my $socket = IO::Socket::INET->new($t->address('nginx'));
print $socket "GET /near/slow HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n";
ok $t->await(sub { $backend->count('/near/slow') == 1 }), 'a render begins';
$t->purge('tag=slow', @as);
$backend->release;
my $came = do { local $/; <$socket> };
like $came, qr/^X-Larder: MISS\r$/m, '... and a purge overtakes it';
like $came, qr/^Cache-Control: public, max-age=0,/m, '... what it made says so, too';

# The complete chain.
$backend->set('/near/shown' => {body => 'old', headers => $headers->('shown')});
is $cdn->get('/near/shown')->body, 'old', 'a cache behind Larder';
$t->purge('tag=shown', @as);
# nginx puts the file into its place after it has answered.
ok $t->await(sub { () = glob $t->dir . '/cdn/cache/*' }, 'file'), '... keeps the page';
unlink glob $t->dir . '/cdn/cache/*';
$backend->set('/near/shown' => {body => 'new', headers => $headers->('shown')});
is $cdn->get('/near/shown')->body, 'old', '... asks again, and gets the purged page once more';
$t->purge('tag=shown&mode=hard', @as);
is $cdn->get('/near/shown')->body, 'new', '... but does not keep it';

done_testing;
