# Cache-Status says "stored" only of what is stored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_max_size 10k;
        proxy_http_version 1.1;
        location / { proxy_pass http://@backend@; }
        location /large { larder_max_size 400m; proxy_pass http://@backend@; }
        location /esi { larder_esi on; proxy_pass http://@backend@; }
    }
CONF
my @page = (body => 'a page');
$backend->set('/whole' => {@page}, '/chunked' => {@page, chunked => 1}, '/too-large' => {size => 20_000, chunked => 1}, '/too-large/said' => {size => 20_000},
    '/cut' => {size => 1000, chunked => 1, fault => 'bad-chunk'}, '/large' => {size => 9_000_000}, '/esi/whole' => {@page, chunked => 1}, '/etag' => {@page, etag => '"1"', headers => [['Cache-Control', 'no-cache']]});
for my $path (qw(/whole /chunked /too-large /too-large/said /cut /large /esi/whole)) {
    my $first  = $t->get($path);
    my $stored = ($first->header('Cache-Status') // '') =~ /; stored/ ? 1 : 0;
    my $hit    = $t->get($path)->larder eq 'HIT' ? 1 : 0;
    ok $hit || !$stored, "$path: " . ($stored ? 'said to be stored, and is' : 'not said to be stored');
}
like $t->get("$_?2")->header('Cache-Status'), qr/; stored/, "$_ is said to be stored" for '/whole', '/esi/whole';
$t->get('/etag');
like $t->get('/etag')->header('Cache-Status'), qr/fwd-status=304; stored/, 'what was validated is stored anew';
done_testing;
