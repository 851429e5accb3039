# A page is revalidated only by what proves that it has not changed (RFC 9110 section 8.8.2.2), in nginx and in larderd, also if
# it may be a page of fragments.
use Larder::Test;
use POSIX qw(strftime);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s;
    larder_stale while=1h error=1h;
    server {
        listen @nginx@;
        server_name site;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /inline { larder_refresh inline; proxy_pass http://@backend@; }
        location /store  { larder main; proxy_pass http://@backend@; }
        location /on/    { larder_esi on; proxy_pass http://@backend@; }
        location /auto/  { larder_esi auto; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my @as   = (headers => [Host => 'site']);
my $date = sub { strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $_[0]) };
my $asked = sub {
    my ($path) = @_;
    my ($last) = grep { $_->{path} eq $path } reverse $backend->log;
    my %h = map { lc $_->[0] => $_->[1] } @{$last->{headers}};
    return [map { $h{$_} // '' } qw(if-none-match if-modified-since)];
};
my $serve = sub {
    my ($path, @headers) = @_;
    $backend->set($path => {body => 'render {n}', headers => [['Surrogate-Key', 'all'], map { [@$_] } @headers]});
};

# Revalidated at each visit.
my $each = sub {
    my ($path, $expected, $what, @headers) = @_;
    $serve->($path, ['Cache-Control', 'no-cache'], @headers);
    $t->get($path, @as) for 1 .. 2;
    is_deeply $asked->($path), $expected, $what;
};
my ($now, $then) = (time + 600, 'Mon, 01 Jan 2024 00:00:00 GMT');
$each->('/old',   ['', $then], 'a date long before the render', ['Last-Modified', $then]);
$each->('/fresh', ['', ''], 'a date of the render', ['Last-Modified', $date->($now + 60)]);
$each->('/both',  ['"v1"', ''], '... beside a tag: only the tag', ['Last-Modified', $date->($now + 60)], ['ETag', '"v1"']);
$each->('/weak',  ['W/"v1"', ''], 'a weak tag', ['ETag', 'W/"v1"']);

# For clients, too.
$serve->('/kept', ['Cache-Control', 'max-age=600'], ['Last-Modified', $date->($now + 60)]);
$serve->('/kept-old', ['Cache-Control', 'max-age=600'], ['Last-Modified', $then]);
$t->get($_, @as) for '/kept', '/kept-old';
is $t->get('/kept', headers => [Host => 'site', 'If-Modified-Since' => $date->($now + 60)])->status, 200, 'no 304 for a client by such a date';
is $t->get('/kept', headers => [Host => 'site', Range => 'bytes=0-1', 'If-Range' => $date->($now + 60)])->status, 200, '... nor a range';
is $t->get('/kept-old', headers => [Host => 'site', 'If-Modified-Since' => $then])->status, 304, '... but by an old date there is';
is $t->get('/kept-old', headers => [Host => 'site', Range => 'bytes=0-1', 'If-Range' => $then])->status, 206, '... and a range';

# Pages that may have fragments, or be named parts of others.
for my $mode (qw(on auto)) {
    my @esi = $mode eq 'auto' ? (['Surrogate-Control', 'content="ESI/1.0"']) : ();
    $backend->set("/$mode/part" => {body => 'b', headers => [['Cache-Control', 'max-age=600']]});
    $backend->set("/$mode/page" => {body => "{n}a<esi:include src=\"/$mode/part\"/>", etag => '"v1"', headers => [['Cache-Control', 'no-cache'], @esi]});
    $t->get("/$mode/page", @as);
    my $page = $t->get("/$mode/page", @as);
    is_deeply [$page->larder, $page->body], ['REVALIDATED', '1ab'], "larder_esi $mode: a page to be validated each time is";
    is_deeply $asked->("/$mode/page"), ['"v1"', ''], '... with its tag';
    $serve->("/$mode/plain", ['Cache-Control', 'no-cache'], ['ETag', '"v1"']);
    $t->get("/$mode/plain", @as) for 1 .. 2;
    is_deeply $asked->("/$mode/plain"), ['"v1"', ''], '... without markup, too';
}
# The named parts of a page are validated with it.
$backend->set('/on/named' => {body => '<esi:inline name="/on/name" fetchable="yes">the part</esi:inline>', etag => '"v1"', headers => [['Cache-Control', 'max-age=1']]},
    '/on/name' => {status => 404});
is $t->get('/on/named', @as)->status, 200, 'a page with a named part';
is $t->get('/on/name', @as)->body, 'the part', '... which is there';
ok $t->await(sub { $t->get('/on/named', @as)->larder eq 'STALE' }), '... grows old';
$backend->set('/on/named' => {body => '', etag => '"v1"', headers => [['Cache-Control', 'max-age=600']]});
$t->await(sub { $t->get('/on/named', @as)->larder eq 'HIT' });
is $t->get('/on/name', @as)->larder, 'HIT', '... and is fresh again with its page, by a 304';

# After a purge.
my $purged = sub {
    my ($path, $expected, $what, @headers) = @_;
    $serve->($path, ['Cache-Control', 'max-age=600'], @headers);
    $t->get($path, @as);
    my $before = $backend->count($path);
    $t->purge('tag=all', @as);
    $t->get($path, @as);
    $t->await(sub { $backend->count($path) > $before });
    is_deeply $asked->($path), $expected, "purged: $what";
};
my $larderd = $t->larderd(<<'TOML', ready => sub { $redis->cli('EXISTS', 'larder:{queue}alive') eq '1' });
    [api]
    token = "0123456789abcdef"
    listen = "unix:@dir@/api.sock"
    [queue]
    url = "redis://@redis@"
    [[store]]
    name = "main"
    url = "redis://@redis@"
    [[backend]]
    name = "site"
    hosts = ["*"]
    url = "http://@backend@"
TOML
for my $place (qw(inline store)) {
    $purged->("/$place/weak",   ['', ''], "$place: a weak tag does not count", ['ETag', 'W/"v1"']);
    $purged->("/$place/strong", ['"v1"', ''], "$place: a strong one does", ['ETag', '"v1"']);
    $purged->("/$place/date",   ['', ''], "$place: nor does a date of the render", ['Last-Modified', $date->($now + 60)]);
    $purged->("/$place/old",    ['', $then], "$place: ... but one long before it", ['Last-Modified', $then]);
}

done_testing;
