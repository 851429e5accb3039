# What nginx requires of visitors before a page applies to a stored page, too: whoever is refused does not see it.
use Larder::Test;
use MIME::Base64 qw(encode_base64);

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->file('passwords', "ann:{PLAIN}secret\n");
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    limit_req_zone $http_x_who zone=requests:1m rate=1r/m;
    limit_conn_zone $http_x_who zone=connections:1m;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /request/ { auth_request /may; proxy_pass http://@backend@; }
        location /variable/ { auth_request /may; auth_request_set $plan $upstream_http_x_plan; larder_header X-Plan value=$plan; proxy_pass http://@backend@; }
        location = /may { internal; larder off; proxy_pass http://@backend@; proxy_pass_request_body off; }
        location /kept-may/ { auth_request /may-kept; proxy_pass http://@backend@; }
        location = /may-kept { internal; larder_header X-Who; proxy_pass http://@backend@; }
        location /basic/ { auth_basic "who"; auth_basic_user_file @dir@/passwords; proxy_set_header Authorization ""; proxy_pass http://@backend@; }
        location /deny/ { allow 192.0.2.1; deny all; proxy_pass http://@backend@; }
        location /any/ { satisfy any; deny all; auth_request /may; proxy_pass http://@backend@; }
        location /limit/ { limit_req zone=requests; proxy_pass http://@backend@; }
        location /few/ { limit_conn connections 1; proxy_pass http://@backend@; }
        location /link/ { secure_link $arg_md5; secure_link_md5 "$uri key"; if ($secure_link = "") { return 403; } larder_query drop md5; proxy_pass http://@backend@; }
        location /only-get/ { limit_except GET { deny all; } proxy_pass http://@backend@; }
    }
CONF
$backend->set('/may' => {status => 401}, '/may-kept' => {status => 401});
my $ask = sub { my ($path, $who, @more) = @_; my $r = $t->get($path, headers => ['X-Who' => $who, @more]); [$r->status, $r->larder] };
my $let = sub { $backend->set('/may' => {status => 204, headers => [['X-Plan', $_[0] || 'free']]}) };

$let->();
is_deeply [map { $ask->('/request/page', 'ann') } 1 .. 2], [[200, 'MISS'], [200, 'HIT']], 'auth_request: the page of who may is kept';
is $backend->count('/may'), 2, '... and each is asked for';
$backend->set('/may' => {status => 401, headers => [['WWW-Authenticate', 'Basic']]});
is $t->get('/request/page')->status, 401, '... from who may not, it is kept away';
$backend->set('/may' => {status => 500});
is $t->get('/request/page')->status, 500, '... and from everybody, if auth_request fails';
is $t->head('/request/page')->status, 500, '... HEAD too';

$let->('free');
is_deeply [map { $ask->('/variable/page', 'ann') } 1 .. 2], [[200, 'MISS'], [200, 'HIT']], 'what auth_request_set says may be in the key';
$let->('gold');
is_deeply $ask->('/variable/page', 'bob'), [200, 'MISS'], '... and makes another page';

$backend->set('/may-kept' => {status => 204, headers => [['Cache-Control', 'max-age=60']]});
is_deeply [map { $ask->('/kept-may/page', 'ann')->[0] } 1 .. 3], [200, 200, 200], 'the answer about a visitor';
cmp_ok $backend->count('/may-kept'), '>=', 1, '... is asked for';
$backend->set('/may-kept' => {status => 403});
is $ask->('/kept-may/page', 'bob')->[0], 403, '... about each';

my @ann = (Authorization => 'Basic ' . encode_base64('ann:secret', ''));
is $t->get('/basic/page', headers => \@ann)->status, 200, 'auth_basic: with the password';
is $t->get('/basic/page')->status, 401, '... not without';
is $t->get('/basic/page', headers => [Authorization => 'Basic ' . encode_base64('ann:wrong', '')])->status, 401, '... nor with another';
is $t->get('/deny/page')->status, 403, 'deny';
$backend->set('/may' => {status => 401});
is $t->get('/any/page')->status, 401, 'satisfy any: none is';
$let->();
is_deeply [map { $ask->('/any/page', 'ann') } 1 .. 2], [[200, 'MISS'], [200, 'HIT']], '... one is';
$backend->set('/may' => {status => 401});
is $t->get('/any/page')->status, 401, '... and that goes for the kept page';

is_deeply [$ask->('/limit/page', 'ann'), $ask->('/limit/page', 'ann'), $ask->('/limit/page', 'bob')], [[200, 'MISS'], [503, ''], [200, 'HIT']],
    'limit_req: a kept page counts';
$backend->set('/few/slow' => {hold => 1});
my $load = $t->load([{path => '/few/slow', headers => ['X-Who' => 'ann']}], clients => 1);
ok $t->await(sub { $backend->count('/few/slow') == 1 }), 'limit_conn: one at a time';
is_deeply $ask->('/few/page', 'ann'), [503, ''], '... the second is refused';
is_deeply $ask->('/few/page', 'bob'), [200, 'MISS'], '... of another visitor not';
is_deeply $ask->('/few/page', 'ann'), [503, ''], '... and does not even get the stored page';
$backend->release;
$load->stop;

chomp(my $good = `printf '%s' '/link/page key' | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =`);
is_deeply [map { $ask->("/link/page?md5=$good", 'ann') } 1 .. 2], [[200, 'MISS'], [200, 'HIT']], 'secure_link: with a good link';
is $ask->('/link/page?md5=bad', 'ann')->[0], 403, '... but not with a bad one, though the key does not hold it';
is $t->post('/only-get/page', 'x')->status, 403, 'limit_except';

done_testing;
