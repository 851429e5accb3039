# Fragments that include each other: the includes of a page are counted over all its documents, so that the page ends.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        location / { larder_esi on; proxy_pass http://@backend@; }
        location /few { larder_esi on includes=20 depth=32; proxy_pass http://@backend@; }
    }
CONF
my $includes = sub { my ($path) = @_; return join '', map { qq{<esi:include src="$path?$_" onerror="continue"/>} } 1 .. 16 };
$backend->set('/fan' => {body => 'x' . $includes->('/fan')}, '/few*' => {body => 'x' . $includes->('/few/fan')});
for my $status ('MISS', 'HIT') {
    my $page = $t->get('/fan');
    is $page->status, 200, "$status: a page of 16 fragments, each of which includes all 16";
    is length($page->body), 1 + 256, '... has as many as includes= says, and no more';
}
is length($t->get('/few')->body), 1 + 20, 'the same with fewer includes, however deeply they may be nested';

my $part = '<esi:include src="/part" onerror="continue"/>';
$backend->set('/same' => {body => $part x 200 . '<esi:include src="/more" onerror="continue"/>'}, '/more' => {body => $part x 100}, '/part' => {body => 'p'});
is length($t->get('/same')->body), 255, 'one fragment in many places counts each time, wherever they are';
done_testing;
