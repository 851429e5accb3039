# A client's Range and conditions refer to the page: they are not sent to the backend of a fragment, nor to that of a page that is
# assembled but can't be stored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_esi on;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; } }
CONF
my $private = [['Cache-Control', 'private']];
$backend->set(
    '/page'    => {body => 'a<esi:include src="/part"/>b'},
    '/my-page' => {body => '<esi:vars>$(QUERY_STRING)</esi:vars>{header:Range}{header:If-None-Match}{header:If-Range}!', headers => $private},
    '/part'    => {body => '[{header:Range}{header:If-None-Match}{header:If-Range}]', headers => $private},
);
my @conditions = (headers => [Range => 'bytes=0-1', 'If-None-Match' => '"page"', 'If-Range' => '"page"']);
for my $time (1 .. 3) {
    is $t->get('/page', @conditions)->body, 'a[]b', "a fragment that can't be kept, time $time";
    is $t->get('/my-page?q', @conditions)->body, 'q!', "a page that can't be kept, time $time";
}
done_testing;
