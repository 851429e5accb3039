# What nginx's filters do to an answer they do to a stored one as well: once, and not to what is stored.
use Larder::Test;
use IO::Uncompress::Gunzip ();

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid any 1m;
    map $http_x_shop $shop { default main; second second; }
    charset_map koi8-r utf-8 { C3 D0B0; 81 D0B1; }
    proxy_cache_path @dir@/proxy_cache keys_zone=own:1m;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /add/ { add_header X-Now $http_x_now always; add_header Cache-Control "must-understand"; expires 1h; proxy_pass http://@backend@; }
        location /hide/ { proxy_hide_header X-Internal; proxy_pass http://@backend@; }
        location /set/ { larder_header X-Shop; proxy_set_header X-Shop $shop; proxy_set_header X-Visitor $http_x_visitor; proxy_pass http://@backend@; }
        location /gzip/ { gzip on; gzip_min_length 1; gzip_proxied any; proxy_pass http://@backend@; }
        location /gunzip/ { larder_encoding gzip; gunzip on; proxy_pass http://@backend@; }
        location /sub/ { sub_filter render RENDER; sub_filter_once off; proxy_pass http://@backend@; }
        location /charset/ { charset utf-8; source_charset koi8-r; override_charset on; proxy_pass http://@backend@; }
        location /rate/ { limit_rate 2m; proxy_pass http://@backend@; }
        location /slice/ { slice 1k; larder off; proxy_set_header Range $slice_range; proxy_pass http://@backend@; }
        location /error/ { error_page 404 =200 @instead; proxy_intercept_errors on; proxy_pass http://@backend@; }
        location @instead { proxy_pass http://@backend@/instead$uri; }
        location /down/ { error_page 502 = @static; proxy_pass http://127.0.0.1:1; }
        location @static { return 200 "we are down"; }
        location /last/ { rewrite ^/last/(.*)$ /page/$1?from=last last; }
        location /break/ { rewrite ^/break/(.*)$ /page/$1 break; proxy_pass http://@backend@; }
        location /moved/ { rewrite ^/moved/(.*)$ /page/$1 permanent; }
        location /map/ { larder_header X-Shop value=$shop; proxy_pass http://@backend@/$shop$uri; }
        location /uri/ { proxy_pass http://@backend@/elsewhere/; }
        location /redirects/ { proxy_redirect http://inside/ http://outside/; proxy_pass http://@backend@; }
        location /mirrored/ { mirror /mirror; proxy_pass http://@backend@; }
        location = /mirror { internal; larder off; proxy_pass http://@backend@/mirror$request_uri; }
        location /ssi/ { ssi on; proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; sub_filter render RENDER; sub_filter_once off; add_header X-Now $http_x_now; proxy_pass http://@backend@; }
        location /added/plain/ { add_before_body /ends; add_after_body /ends; proxy_pass http://@backend@; }
        location /added/esi/ { larder_esi on; add_before_body /ends; add_after_body /ends; proxy_pass http://@backend@; }
        location /added-later/ { larder_esi auto; add_after_body /ends; proxy_pass http://@backend@; }
        location = /ends { larder off; proxy_pass http://@backend@; }
        location /twice/ { proxy_cache own; proxy_cache_valid 1m; proxy_cache_key $uri; proxy_pass http://@backend@; }
        location /if/ { set $kind plain; if ($http_x_shop) { set $kind shop; } add_header X-Kind $kind; proxy_pass http://@backend@; }
    }
CONF
my $get = sub { my ($path, @headers) = @_; return $t->get($path, headers => [@headers]) };
sub twice { my ($path, @headers) = @_; return map { $t->get($path, headers => [@headers]) } 1 .. 2 }
sub larders { return [map { $_->larder } @_] }
sub bodies { return [map { $_->body } @_] }

# Header filters use the present request, not the one that filled the cache.
my ($miss, $hit) = map { $get->('/add/page', 'X-Now' => $_) } 1, 2;
is_deeply [map { $_->header('X-Now') } $miss, $hit], [1, 2], 'add_header: of each request';
is $get->('/add/page')->header('X-Now') // '', '', '... and none of another\'s';
like $_->header('Cache-Control'), qr/^max-age=3600, must-understand$/, 'expires and add_header: once, miss or hit' for $miss, $hit;
$backend->set('/hide/page' => {headers => [['X-Internal', 'secret']]});
is $_->header('X-Internal') // '', '', 'proxy_hide_header' for twice('/hide/page');
$backend->set('/set/page' => {body => '{header:x-shop} {header:x-visitor}'});
is_deeply bodies(map { $get->('/set/page', 'X-Shop' => 'second', 'X-Visitor' => $_) } 1, 2), [('second ') x 2], 'proxy_set_header: of the request as the key holds it';

# Body filters.
$backend->set('/gzip/page' => {body => 'text ' x 1000, etag => '"v1"', headers => [['Last-Modified', 'Sat, 01 Jan 2022 00:00:00 GMT']]});
my ($packed) = reverse twice('/gzip/page', 'Accept-Encoding' => 'gzip');
IO::Uncompress::Gunzip::gunzip(\$packed->body, \my $unpacked);
is_deeply [$unpacked, $packed->header('ETag'), $packed->larder], ['text ' x 1000, 'W/"v1"', 'HIT'], 'gzip: a weak ETag';
is $get->('/gzip/page', 'Accept-Encoding' => 'gzip', 'If-None-Match' => 'W/"v1"')->status, 304, '... that is answered with 304';
is $get->('/gzip/page', 'If-None-Match' => '"v1"')->status, 304, '... as is the strong one, uncompressed';
is $get->('/gzip/page', 'Accept-Encoding' => 'gzip', 'If-Modified-Since' => 'Sat, 01 Jan 2022 00:00:00 GMT')->status, 304, '... and the date';
is $get->('/gzip/page', 'Accept-Encoding' => 'gzip', 'If-None-Match' => '"v0"')->status, 200, '... but no other';
is $get->('/gzip/page', 'Range' => 'bytes=0-3')->body, 'text', 'a range, uncompressed';
is $get->('/gzip/page', 'Accept-Encoding' => 'gzip', 'Range' => 'bytes=0-3')->status, 200, '... and none of what nginx compresses on its way';
$backend->set('/gunzip/page' => {body => 'text ' x 1000, gzip => 'asked'});
is $get->('/gunzip/page', 'Accept-Encoding' => 'gzip')->larder, 'MISS', 'gunzip: a compressed page';
is_deeply bodies(twice('/gunzip/page')), [('text ' x 1000) x 2], '... and a plain one';
is_deeply bodies(twice('/sub/page')), [("/sub/page RENDER 1\n") x 2], 'sub_filter: once, miss or hit';
$backend->set('/charset/page' => {body => "\xc1", type => 'text/html; charset=koi8-r'});
is_deeply bodies(twice('/charset/page')), [("\xd0\xb0\xd0\xb1") x 2], 'charset: recoded once, miss or hit';
$backend->set('/rate/page' => {size => 100_000});
is_deeply [map { length } @{bodies(twice('/rate/page'))}], [100_000, 100_000], 'limit_rate: whole';
$backend->set('/slice/page' => {size => 5000, status => 206, headers => [['Content-Range', 'bytes 0-1023/5000']]});
isnt $get->('/slice/page')->larder, 'HIT', 'slice: not for a cache of whole pages';

# Redirects.
$backend->set('/error/page' => {status => 404}, '/instead/*' => {body => 'instead of {path}'});
is_deeply [map { $_->status . $_->body } twice('/error/page')], [('200instead of /instead/error/page') x 2], 'error_page to a named location';
is_deeply [map { $_->status . $_->body } twice('/down/page')], [('200we are down') x 2], '... when the backend is down';
is_deeply larders(twice('/last/7')), ['MISS', 'HIT'], 'rewrite last';
is $get->('/page/7?from=last')->larder, 'MISS', '... is a page of its own, not the one that it leads to';
is_deeply [bodies(twice('/break/8'))->[1], $get->('/page/8')->larder], ["/page/8 render 1\n", 'MISS'], 'rewrite break: the same';
is_deeply [map { $_->status . $_->header('Location') } twice('/moved/9')], [('301http://' . $t->address('nginx') . '/page/9') x 2], 'a redirect by nginx';
is_deeply bodies(map { $get->('/map/p', 'X-Shop' => $_) } qw(second main second)), ["/second/map/p render 1\n", "/main/map/p render 1\n", "/second/map/p render 1\n"],
    'a map in proxy_pass, and in the key';
is_deeply bodies(twice('/uri/page?a=1')), [("/elsewhere/page render 1\n") x 2], 'proxy_pass with a path of its own';
$backend->set('/redirects/page' => {status => 302, headers => [['Location', 'http://inside/x']]});
is $_->header('Location'), 'http://outside/x', 'proxy_redirect' for twice('/redirects/page');
is_deeply larders(map { $get->('/mirrored/page', Cookie => "n=$_") } 1, 2), ['MISS', 'HIT'], 'mirror: the page is kept';
ok $t->await(sub { $backend->count('/mirror/mirrored/page') == 1 }), '... and only the request that reaches the site is mirrored';
is $get->('/if/page', 'X-Shop' => 'x')->header('X-Kind'), 'shop', 'set in an if';
is $get->('/if/page')->header('X-Kind'), 'plain', '... depends on each request, with one entry';

# Pages of other content handlers.
$backend->set('/ssi/page' => {body => 'a<!--# include virtual="/esi/none" -->b'}, '/esi/none' => {body => '[{n}]'});
is_deeply bodies(twice('/ssi/page')), ['a[1]b', 'a[1]b'], 'SSI in the page, fragments from cache';
$backend->set('/esi/page' => {body => 'render <esi:include src="/esi/part"/>'}, '/esi/part' => {body => 'render'});
is_deeply bodies(twice('/esi/page')), ['RENDER RENDER', 'RENDER RENDER'], 'sub_filter over a page of fragments';
is_deeply [map { $get->('/esi/page', 'X-Now' => $_)->header('X-Now') } 1, 2], [1, 2], 'add_header on one';
$backend->set('/ends' => {body => '|'}, '/added/*' => {body => 'page'}, '/added-later/*' => {body => 'page'}, '/added/esi/parts' => {body => 'a<esi:include src="/part"/>b'}, '/part' => {body => '+'});
is_deeply bodies(twice("/added/$_/page")), ['|page|', '|page|'], "add_before_body and add_after_body, $_: once" for qw(plain esi);
is_deeply bodies(twice('/added/esi/parts')), ['|a+b|', '|a+b|'], '... over a page of fragments';
is_deeply bodies(twice('/added-later/page')), ['page|', 'page|'], '... for a page that may have fragments';
is_deeply larders(twice('/twice/page')), ['MISS', 'HIT'], 'proxy_cache in the same location lies behind';

done_testing;
