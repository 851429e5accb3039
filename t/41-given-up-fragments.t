# A fragment that was given up does not block the client's connection: once the page is complete, the connection is free. If the
# fragment can be stored, a refresh renders it for later pages.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    larder_lock 60s;
    proxy_read_timeout 300s;
    server {
        listen @nginx@;
        larder near;
        larder_esi on timeout=100ms;
        location / { larder_refresh off; proxy_pass http://@backend@; }
        location /made/ { larder_refresh inline; proxy_pass http://@backend@; }
        location /total/ { larder_esi on total=100ms timeout=5m; larder_refresh off; proxy_pass http://@backend@; }
        location /next { larder off; return 200 next; }
    }
CONF
my $include = sub { qq{A<esi:include src="$_[0]" onerror="continue"/>B} };
$backend->set(
    '/page'        => {body => $include->('/slow')},
    '/slow'        => {fault => 'hang'},
    '/waits'       => {body => $include->('/slow?again') . $include->('/slow?again')},
    '/coalesced'   => {body => $include->('/slow')},
    '/total/page'  => {body => $include->('/slow')},
    '/nested'      => {body => $include->('/page')},
    '/redirected'  => {body => $include->('/moved')},
    '/moved'       => {status => 302, headers => [['Location', '/slow?moved']]},
    '/unstorable'  => {body => $include->('/private')},
    '/private'     => {fault => 'hang', headers => [['Cache-Control', 'no-store']]},
    '/begun'       => {body => $include->('/stalls')},
    '/stalls'      => {stream => \1},
    '/made/page'  => {body => $include->('/made/late')},
    '/made/late'  => {body => 'late', hold => \1},
);
for my $path (qw(/page /waits /coalesced /total/page /nested /redirected /unstorable /begun)) {
    for my $method ('GET', 'HEAD') {
        my $bytes = $nginx->raw("$method $path HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 10);
        like $bytes, qr/\r\n\r\nnext$/, "$method $path: the connection is free once the page is whole";
        like $bytes, qr/\r\n\r\n.*?A.*B.*\r\n0\r\n\r\nHTTP/s, '... without the fragment' if $method eq 'GET';
    }
}

like $t->get('/made/page')->body, qr/^AB$/, 'a fragment that is late';
$backend->release;
$t->await(sub { $t->get('/made/page')->body eq 'AlateB' }, 'it stands in a page that comes later');

# However many of them there are, stale pages are refreshed in time.
$backend->set(
    '/made/many'  => {body => join '', map { $include->("/made/never?$_") } 1 .. 20},
    '/made/never' => {body => 'never', hold => \1},
    '/made/old'   => {body => 'old {n}', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]},
);
is $t->get('/made/old')->body, 'old 1', 'a page that is stale at once';
ok $t->get('/made/many')->complete, 'a page without twenty fragments that never come';
$t->await(sub { $backend->count('/made/never') > 20 }, 'one of them is asked for in the background');
ok $t->await(sub { $t->get('/made/old')->body ne 'old 1' }, 'a new page', 30), '... while they are waited for, stale pages are renewed';
$backend->release;
done_testing;
