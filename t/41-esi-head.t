# HEAD of a page of fragments states the page's length or none, never that of its template.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx = $t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        location / { larder_esi on; proxy_pass http://@backend@; }
        location /auto/ { larder_esi auto; proxy_pass http://@backend@; }
        location /off/ { proxy_pass http://@backend@; }
    }
CONF
my @template = (etag => '"template"', headers => [['Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT'], ['Accept-Ranges', 'bytes']]);
my $body = '<esi:include src="/fragment"/>';
$backend->set(
    '/page' => {body => $body, @template},
    '/auto/page' => {body => $body, etag => '"template"', headers => [['Surrogate-Control', 'content="ESI/1.0"']]},
    '/auto/plain' => {body => 'plain', @template},
    '/unkept' => {body => $body, etag => '"template"', headers => [['Cache-Control', 'no-store']]},
    '/off/page' => {body => $body, @template},
    '/fragment' => {body => 'f' x 1000, type => 'text/plain'},
);
for my $path (qw(/page /auto/page /unkept)) {
    my $head = $nginx->request(method => 'HEAD', path => $path);
    is $head->status, 200, "HEAD $path that is not kept";
    is $head->header($_), undef, "... without $_" for qw(Content-Length ETag Last-Modified Accept-Ranges);
}
for my $path (qw(/auto/plain /off/page)) {
    is $nginx->request(method => 'HEAD', path => $path)->header('ETag'), '"template"', "$path is no page of fragments: its header is its own";
}
is length $t->get('/page')->body, 1000, 'the page';
my $length = $nginx->request(method => 'HEAD', path => '/page')->header('Content-Length');
ok !defined $length || $length == 1000, 'HEAD of the kept page: its length, or none';
done_testing;
