# uwsgi_pass, fastcgi_pass and scgi_pass work as proxy_pass does: hits, kept cookies, personal pages, fragments, stale pages.
use Larder::Test;
use JSON::PP qw(decode_json);

my $t     = Larder::Test->new;
my $uwsgi = $t->uwsgi;
my @kinds = qw(uwsgi fastcgi scgi);
$t->nginx(<<'CONF');
    larder_zone 8m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        larder_refresh inline;
        larder_cookie lang value;
        include /etc/nginx/uwsgi_params;
        include /etc/nginx/fastcgi_params;
        include /etc/nginx/scgi_params;
        location /uwsgi/   { uwsgi_pass @uwsgi@; }
        location /fastcgi/ { fastcgi_pass @uwsgi_fastcgi@; }
        location /scgi/    { scgi_pass @uwsgi_scgi@; }
    }
CONF
my $get    = sub { my ($url, $cookie) = @_; $t->get($url, headers => [Cookie => $cookie || 'lang=de', 'X-Other' => 'unkeyed', 'Proxy' => 'evil']) };
my $render = sub { my $r = decode_json($_[0]->body); return $r->{render} };

for my $kind (@kinds) {
    my $kept = "/$kind/page?b=2&a=1&cc=max-age%3D60";
    my $miss = $get->($kept, 'session=s3cret; lang=de');
    my $seen = decode_json($miss->body)->{environ};
    is $miss->larder, 'MISS', "$kind: a miss";
    is_deeply [map { $get->($kept)->larder } 1 .. 2], ['HIT', 'HIT'], '... then hits';
    is $t->head($kept, headers => [Cookie => 'lang=de'])->larder, 'HIT', '... for HEAD as well';
    is $seen->{HTTP_COOKIE}, 'lang=de', 'the site saw only the cookie that the key holds';
    is_deeply [map { $seen->{$_} } qw(HTTP_X_OTHER HTTP_PROXY HTTP_CONNECTION)], [undef, undef, undef], '... no header that it does not';
    is $seen->{REQUEST_URI}, $kept, '... and the canonical target';
    is $seen->{QUERY_STRING}, 'b=2&a=1&cc=max-age%3D60', '... with its query';
    is $seen->{REQUEST_METHOD} . ($seen->{CONTENT_LENGTH} || ''), 'GET', '... of a GET without a body';

    my $personal = "/$kind/mine?cc=private";
    is decode_json($get->($personal, 'session=s3cret')->body)->{environ}{HTTP_COOKIE}, 'session=s3cret', 'a personal page sees all cookies' for 1 .. 2;
    ok !(grep { $_ eq 'HIT' } map { $get->("/$kind/set?cc=max-age%3D60&set=a%3D1")->larder } 1 .. 2), 'a page that sets a cookie is not kept';
    my $post = decode_json($t->post("/$kind/form", 'a=1', headers => [Cookie => 'session=s3cret'])->body)->{environ};
    is "$post->{REQUEST_METHOD} $post->{CONTENT_LENGTH} $post->{HTTP_COOKIE}", 'POST 3 session=s3cret', 'a form goes through as it is';

    my $page = "/$kind/outer?type=text/html&cc=max-age%3D60&body=a%3Cesi:include%20src%3D%22/$kind/inner%3Fbody%3Di%26cc%3Dmax-age%253D60%22/%3Eb";
    is_deeply [map { $get->($page)->body } 1 .. 2], ['aib', 'aib'], 'a page is assembled, and from cache';

    my $stale = "/$kind/stale?cc=max-age%3D0,stale-while-revalidate%3D600";
    my $first = $render->($get->($stale));
    is $get->($stale)->larder, 'STALE', 'a stale page is served at once';
    ok $t->await(sub { $render->($get->($stale)) > $first }), '... and made anew in the background';
}

$uwsgi->kill;
for my $kind (@kinds) {
    is $get->("/$kind/stale?cc=max-age%3D0,stale-while-revalidate%3D600")->larder, 'STALE', "$kind: with the site gone a stale page is served";
    is $get->("/$kind/page?b=2&a=1&cc=max-age%3D60")->larder, 'HIT', '... as is a fresh one';
    is $get->("/$kind/new")->status, 502, '... and a page without an entry is an error';
}
$uwsgi->restart;
for my $kind (@kinds) {
    ok $t->await(sub { $get->("/$kind/new")->status == 200 }), "$kind: and it is used again when it is back";
}

done_testing;
