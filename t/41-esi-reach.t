# Injected markup can include only what the page's visitor may request; larder_esi_include names other paths.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
open my $users, '>', $t->dir . '/users' or die;
print $users "ann:{PLAIN}secret\n";
close $users;
my $nginx = $t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        location / { proxy_pass http://@backend@; }
        location /open/ { proxy_pass http://@backend@; }
        location /internal/ { internal; proxy_pass http://@backend@; }
        location /denied/ { deny all; proxy_pass http://@backend@; }
        location = /status { allow 127.0.0.2; deny all; larder_status; }
        location /password/ { auth_basic x; auth_basic_user_file @dir@/users; proxy_pass http://@backend@; }
        location /asked/ { auth_request /denied/; proxy_pass http://@backend@; }
        location /no-password/ { auth_basic off; proxy_pass http://@backend@; }
        location /moved/ { return 302 /internal/moved; }
        location /files/ { proxy_pass http://@backend@; }
        location /named/ {
            larder_esi_include /internal/ /denied/a /moved/;
            proxy_pass http://@backend@;
        }
        location /limited/ {
            allow 127.0.0.1;
            deny all;
            proxy_pass http://@backend@;
            location /limited/more/ { proxy_pass http://@backend@; }
        }
    }
CONF
$backend->set(
    '/*'             => {body => '<esi:include src="{arg:src}" onerror="continue"/>', headers => [['Content-Type', 'text/html']]},
    (map { ("/$_/*" => {body => "secret of {path}", type => 'text/plain'}) } qw(open internal denied password asked no-password limited/more)),
    '/files/*'       => {body => '', headers => [['X-Accel-Redirect', '/internal/file']]},
);
sub shown { my ($page, $src) = @_; return $t->get("/$page?src=$src")->body }

is shown('page', '/open/a'), 'secret of /open/a', 'an include of what everybody may ask for';
is shown('page', '/no-password/a'), 'secret of /no-password/a', '... of a location without rules';
for my $src (qw(/internal/a /denied/a /status /password/a /asked/a /moved/x /%69nternal/a /open/../internal/a)) {
    is shown('page', $src), '', "nothing of $src";
}
like $nginx->error_log, qr{fragment "/denied/a" of "/page" refused: its location has access rules of its own}, '... and the log says why';
is shown('page', '/files/x'), 'secret of /internal/file', 'the site itself may lead to an internal location';
is shown('limited/page', '/limited/more/a'), 'secret of /limited/more/a', 'rules that the page has passed are passed';
is shown('page', '/limited/more/a'), '', '... and only then';

is shown('named/page', '/internal/a'), 'secret of /internal/a', 'larder_esi_include: an internal location';
is shown('named/page', '/denied/a'), 'secret of /denied/a', '... one with rules';
is shown('named/page', '/moved/x'), 'secret of /internal/moved', '... a redirect';
for my $src (qw(/denied/b /open/a /internal/../denied/b)) {
    is shown('named/page', $src), '', "nothing of $src, which it doesn't name";
}
like $nginx->error_log, qr{include "/open/a" of "/named/page" refused: larder_esi_include does not name its path}, '... and the log says so';
done_testing;
