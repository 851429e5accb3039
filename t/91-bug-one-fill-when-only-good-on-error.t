# Many requests for a page whose entry may only be served on errors: the backend renders it once, and all get the new page.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    larder_stale while=0s error=1h;
    server {
        listen @nginx@;
        location = /larder_purge { larder_purge; }
        location /near/ { larder near; proxy_pass http://@backend@; }
        location /store/ { larder main near=off; proxy_pass http://@backend@; }
        location /both/ { larder main; proxy_pass http://@backend@; }
    }
CONF

for my $path (qw(/near/page /both/page /store/page)) {
    $t->get($path);
    ok $t->await(sub { $t->get($path)->larder eq 'HIT' }), "$path: kept";
    is $t->purge("url=$path")->status, 200, "$path: ... and purged";
    $backend->set($path => {delay => 0.4, body => 'new {n}'});
    my @answers = $t->many(30, $path);
    is $backend->count($path), 2, "$path: rendered once for thirty";
    is scalar(grep { $_->body eq 'new 2' } @answers), 30, "$path: all got the new one";
}

# nginx looks for a newer entry in the store, which has the same one.
for my $path (qw(/near/old /both/old /store/old)) {
    $backend->set($path => {headers => [['Cache-Control', 'max-age=1']]});
    $t->get($path);
    $backend->set($path => {delay => 0.4, body => 'new {n}'});
    sleep 2;
    my @answers = $t->many(30, $path);
    is $backend->count($path), 2, "$path: rendered once for thirty";
    is scalar(grep { $_->body eq 'new 2' } @answers), 30, "$path: all got the new one";
}
done_testing;
