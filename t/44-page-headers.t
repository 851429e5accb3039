# What caches behind Larder may do with a page of fragments: no more than each of its parts allows.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 16m;
    larder_valid 1h;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        larder_cookie me private;
        location / { proxy_pass http://@backend@; }
    }
CONF
my $control = sub { my ($path, @headers) = @_; return scalar $t->get($path, headers => [@headers])->header('Cache-Control') };
my $parts = sub {
    my ($path, $own, %parts) = @_;
    $backend->set($path => {body => join('', map { "<esi:include src=\"$path/$_\"/>" } sort keys %parts), headers => $own ? [['Cache-Control', $own]] : []});
    $backend->set("$path/$_" => {body => $_, headers => $parts{$_} ? [['Cache-Control', $parts{$_}]] : []}) for keys %parts;
};
# Twice: first assembled from stored parts, then kept assembled.
my $says = sub {
    my ($path, $expected, $what) = @_;
    $t->get($path);
    like $control->($path) // '', $expected, "$what: $_" for 'from parts', 'whole';
};

$parts->('/all', 'public, max-age=600', a => 'max-age=900', b => '');
$says->('/all', qr/^public, max-age=600$/, 'no part is stricter');
$parts->('/short', 'public, max-age=600', a => 'max-age=60', b => 'max-age=300');
$says->('/short', qr/^public, max-age=(?:60|59|58)$/, 'the least lifetime');
$parts->('/private', 'public, max-age=600', a => 'max-age=60', b => '');
$backend->set('/private/b' => {body => 'b', headers => [['Surrogate-Control', 'max-age=600'], ['Cache-Control', 'private, max-age=5']]});
$says->('/private', qr/^private, max-age=[345]$/, 'a part that browsers alone may keep');
$parts->('/silent', '', a => 'max-age=60');
$says->('/silent', qr/^$/, 'a page that promises nothing');

$parts->('/unkept', 'public, max-age=600', a => '', b => '');
$backend->set('/unkept/b' => {body => 'b', headers => [['Cache-Control', 'no-store']]});
$t->get('/unkept');
like $control->('/unkept'), qr/^private/, 'a part that is asked for with all that the visitor sent';

$parts->('/cold', 'public, max-age=600', a => 'max-age=600');
$backend->set('/cold/a' => {body => 'a', hold => 1});
$backend->set('/cold' => {body => 'a<esi:include src="/cold/a" maxwait="100ms" onerror="continue"/>', headers => [['Cache-Control', 'public, max-age=600']]});
like $control->('/cold'), qr/^private, no-cache/, 'a part that is missing when the header is sent may be private';
$backend->release;

$parts->('/mine', 'public, max-age=600', a => 'max-age=600');
$t->get('/mine', headers => [Cookie => 'me=ann']) for 1 .. 2;
like $control->('/mine', Cookie => 'me=ann'), qr/^private/, "parts for one person only";

my $head = $t->head('/short');
is $head->status, 200, 'HEAD';
ok !$head->header('ETag') || $head->header('ETag') eq $t->get('/short')->header('ETag'), "... has no validator but the page's own";

done_testing;
