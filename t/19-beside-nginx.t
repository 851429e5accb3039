# Larder does not change nginx's other features: access rules apply to stored pages, and filters and redirects work.
use Larder::Test;
use IO::Uncompress::Gunzip ();

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->file('www/static.txt', "a file\n");
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid any 1m;
    root @dir@/www;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /gzip/ { gzip on; gzip_min_length 1; gzip_types text/html; gzip_proxied any; proxy_pass http://@backend@; }
        location /sub/ { sub_filter render RENDER; proxy_pass http://@backend@; }
        location /add/ { add_before_body /before; proxy_pass http://@backend@; }
        location /ssi/ { ssi on; proxy_pass http://@backend@; }
        location /auth/ { auth_request /may; proxy_pass http://@backend@; }
        location = /may { internal; larder off; proxy_pass http://@backend@/may; proxy_set_header Cookie $http_cookie; }
        location /deny/ { if ($http_x_mine = "") { return 403; } proxy_pass http://@backend@; }
        location /rewrite/ { rewrite ^/rewrite/(.*) /page-$1 last; }
        location /try/ { try_files $uri @site; }
        location @site { larder near; proxy_pass http://@backend@; }
        location /page-not-found/ { proxy_intercept_errors on; error_page 404 /not-found; proxy_pass http://@backend@; }
        location /protected/ { internal; proxy_pass http://@backend@; }
        location /static.txt { }
        location = /text { return 200 "text"; }
    }
CONF
sub twice { my ($path, @o) = @_; return map { $t->get($path, @o) } 1 .. 2 }

my ($plain, $packed) = (map({ $t->get('/gzip/page', headers => [$_ ? ('Accept-Encoding' => 'gzip') : ()]) } 0, 1));
is $packed->header('Content-Encoding'), 'gzip', 'gzip: a kept page is compressed for who takes it';
IO::Uncompress::Gunzip::gunzip(\$packed->body, \my $unpacked);
is $unpacked, $plain->body, '... the same page';
is $packed->larder, 'HIT', '... from the same entry';
is_deeply [map { $_->body } twice('/sub/page')], [("/sub/page RENDER 1\n") x 2], 'sub_filter: once, miss or hit';
is_deeply [map { $_->body } twice('/add/page')], [("/before render 1\n/add/page render 1\n") x 2], 'add_before_body: once, miss or hit';
$backend->set('/ssi/page' => {body => 'a<!--# include virtual="/fragment" -->b'}, '/fragment' => {body => '[{n}]'});
is_deeply [map { $_->body } twice('/ssi/page')], ['a[1]b', 'a[1]b'], 'SSI: its subrequests are cached like requests';

$backend->set('/may' => {status => 204});
is_deeply [map { $_->status } twice('/auth/page')], [200, 200], 'auth_request: who may';
$backend->set('/may' => {status => 403});
is $t->get('/auth/page')->status, 403, '... and who may not: the kept page is not shown';
is $t->get('/deny/page', headers => ['X-Mine' => 1])->status, 200, 'an access rule';
is $t->get('/deny/page')->status, 403, '... holds for a kept page, too';

is_deeply [map { $_->larder } twice('/rewrite/7')], ['MISS', 'HIT'], 'rewrite: kept';
is $t->get('/rewrite/7')->body, "/page-7 render 1\n", '... under the rewritten path';
is_deeply [map { $_->body } twice('/try/page')], [("/try/page render 1\n") x 2], 'try_files to a named location: kept';
is_deeply [map { $_->body } twice('/static.txt')], [("a file\n") x 2], 'a file';
is_deeply [map { $_->body } twice('/text')], ['text', 'text'], 'a text of the configuration';

$backend->set('/page-not-found/*' => {status => 404}, '/not-found' => {body => 'sorry'});
is_deeply [map { $_->status . $_->body } twice('/page-not-found/x')], [('404sorry') x 2], 'error_page: the page shown, its status';
$backend->set('/accel' => {headers => [['X-Accel-Redirect', '/protected/page']]});
is_deeply [map { $_->body } twice('/accel')], [("/protected/page render 1\n") x 2], 'X-Accel-Redirect: its target';
is $t->get('/protected/page')->status, 404, '... which stays internal';

done_testing;
