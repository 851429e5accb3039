# Beside uwsgi_pass all is as beside proxy_pass: hits, kept cookies, personal pages, fragments, stale.
use Larder::Test;
use JSON::PP qw(decode_json);

my $t = Larder::Test->new;
my $uwsgi = $t->uwsgi;
$t->nginx(<<'CONF');
    larder_zone 8m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        larder_cookie lang value;
        include /etc/nginx/uwsgi_params;
        location / { uwsgi_pass @uwsgi@; }
    }
CONF
my $kept = '/page?cc=max-age%3D60';
my $seen = decode_json($t->get($kept, headers => [Cookie => 'session=s3cret; lang=de', 'X-Other' => 'unkeyed'])->body);
is_deeply [map { $t->get($kept, headers => [Cookie => 'lang=de'])->larder } 1 .. 2], ['HIT', 'HIT'], 'a hit';
is $seen->{environ}{HTTP_COOKIE}, 'lang=de', 'the site saw only the cookie that the key holds';
is $seen->{environ}{REQUEST_URI}, $kept, '... and the canonical request';

my $personal = '/mine?cc=private';
for (1 .. 2) {
    my $own = decode_json($t->get($personal, headers => [Cookie => 'session=s3cret'])->body);
    is $own->{environ}{HTTP_COOKIE}, 'session=s3cret', 'a personal page is rendered with all cookies';
}
my @cookies = map { $t->get('/set?cc=max-age%3D60&set=a%3D' . 1)->larder } 1 .. 2;
ok !(grep { $_ eq 'HIT' } @cookies), 'a page that sets a cookie is not kept';

my $page = '/outer?type=text/html&cc=max-age%3D60&body=a%3Cesi:include%20src%3D%22/inner%3Fbody%3Di%26cc%3Dmax-age%253D60%22/%3Eb';
is $t->get($page)->body, 'aib', 'a page is assembled';
is $t->get($page)->body, 'aib', '... again from cache';

my $expired = '/old?cc=max-age%3D0,stale-while-revalidate%3D600';
$t->get($expired);
$uwsgi->kill;
is $t->get($expired)->larder, 'STALE', 'with uWSGI gone the expired page is served';
is $t->get($kept, headers => [Cookie => 'lang=de'])->larder, 'HIT', '... as is the fresh one';
$uwsgi->restart;
ok $t->await(sub { $t->get('/new')->status == 200 }), 'and it is used again when it is back';

done_testing;
