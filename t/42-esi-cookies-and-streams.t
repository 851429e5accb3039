# ESI reads only the allowed cookies, escapes its output, and sends what it has while it waits for a fragment.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        larder_esi_cookie name;
        location / { proxy_pass http://@backend@; }
        location /known/ { larder_esi on remote_addr=on; proxy_pass http://@backend@; }
    }
CONF
my $greeting = '<esi:vars>Hello $(HTTP_COOKIE{name}|stranger), $(HTTP_COOKIE{session}|nobody)</esi:vars>';
$backend->set('/page' => {body => $greeting});
sub page { my ($cookie) = @_; return $t->get('/page', headers => [Cookie => $cookie])->body }
is page('name=Ann; session=s3cret'), 'Hello Ann, nobody', 'an allowed cookie is read, another is not';
is page('name=Ben'), 'Hello Ben, nobody', 'each visitor sees his own';
is page(''), 'Hello stranger, nobody', '... or the default';
is $backend->count('/page'), 1, '... all from one stored page';
unlike page('name=<script>alert(1)</script>'), qr/<script>/, 'what a visitor sends is escaped';
is page('name=<esi:include src="/page"/>') =~ tr/H//, 1, '... and never taken for markup';
$backend->set('/leak' => {body => '<esi:vars>$(HTTP_COOKIE) $(HTTP_HEADER{Cookie}) $(HTTP_AUTHORIZATION)</esi:vars>'});
unlike $t->get('/leak', headers => [Cookie => 'session=s3cret', Authorization => 'Basic s3cret'])->body, qr/s3cret/,
    'nor do they leak by other names';

$backend->set("/$_" => {body => '<esi:vars>[$(REMOTE_ADDR|none)]</esi:vars>'}) for 'address', 'known/address';
is $t->get('/address')->body, '[none]', 'pages can\'t read the visitor\'s address by default';
my $known = $t->get('/known/address');
is $known->body, '[127.0.0.1]', '... unless the operator says so';
is $known->header('Cache-Control'), 'private, no-cache', '... and then the page is for that visitor alone';

# The beginning of the page is sent while a fragment is held back.
$backend->set('/streamed' => {body => '<head/>' . 'x' x 4096 . '<esi:include src="/held"/>tail'}, '/held' => {body => 'held'});
$t->get('/streamed');
$backend->set('/held2' => {body => 'held', hold => 1},
    '/streamed2' => {body => '<head/>' . 'x' x 4096 . '<esi:include src="/held2"/>tail'});
my $came = $t->raw("GET /streamed2 HTTP/1.1\r\nHost: " . $t->address('nginx') . "\r\nConnection: close\r\n\r\n", 2);
like $came, qr/<head\/>/, 'the head of the page arrives while a fragment is awaited';
unlike $came, qr/tail/, '... what follows it does not';
$backend->release;
ok $t->await(sub { $t->get('/streamed2')->body =~ /^<head\/>x+heldtail$/ }), 'and all of it in the end';

done_testing;
