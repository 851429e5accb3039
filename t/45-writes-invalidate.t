# A successful write through nginx makes the pages that it names stale at once (RFC 9111 section 4.4).
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    server {
        listen @nginx@;
        proxy_set_header Host $http_host;
        location / { larder near; proxy_pass http://@backend@; }
        location /store/ { larder main; proxy_pass http://@backend@; }
        location /soft/ { larder near; larder_invalidate soft; proxy_pass http://@backend@; }
        location /off/ { larder near; larder_invalidate off; proxy_pass http://@backend@; }
    }
CONF
my $kept = sub { $t->get($_) for @_, @_; is $t->get($_)->larder, 'HIT', "$_ is kept" for @_ };
my $wrote = sub {
    my ($path, $method, %rule) = @_;
    $backend->set($path => {%rule});
    $t->{nginx}->request(path => $path, method => $method, body => 'x');
    $backend->set($path => undef);
};

for my $method (qw(POST PUT PATCH DELETE MERGE)) {  # nginx does not know the last one
    $kept->('/item');
    $wrote->('/item', $method);
    is $t->get('/item')->larder, 'MISS', "$method: the target is asked for anew";
}
$kept->('/item', '/item?page=2', '/list', '/other');
$wrote->('/item', 'POST', status => 303, headers => [['Location', '/list'], ['Content-Location', 'http://' . $t->{nginx}->address . '/item']]);
is_deeply [map { $t->get($_)->larder } '/item', '/item?page=2', '/list', '/other'], [qw(MISS MISS MISS HIT)], 'so are its variants by query, and its Location';
$kept->('/list');
$wrote->('/item', 'POST', status => 303, headers => [['Location', 'http://elsewhere.example/list']]);
is $t->get('/list')->larder, 'HIT', '... but not what it names on another host';
for my $status (403, 500) {
    $kept->('/item');
    $wrote->('/item', 'POST', status => $status);
    is $t->get('/item')->larder, 'HIT', "a write that failed with $status changes nothing";
}
$kept->('/store/item');
$wrote->('/store/item', 'POST');
is $t->get('/store/item')->larder, 'MISS', 'with a store, too';
$kept->('/soft/item', '/off/item');
$wrote->('/soft/item', 'POST');
is $t->get('/soft/item')->larder, 'STALE', 'larder_invalidate soft: served once more while it is made anew';
$wrote->('/off/item', 'POST');
is $t->get('/off/item')->larder, 'HIT', 'larder_invalidate off: nothing';
is $t->{nginx}->request(path => '/item', method => 'POST', body => 'x')->cache_status, 'fwd=method', 'Cache-Status says why it was forwarded';

done_testing;
