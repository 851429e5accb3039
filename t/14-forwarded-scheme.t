# Behind a load balancer that ends TLS, the site sees the visitor's scheme as the balancer states it.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_refresh inline;
        location / { proxy_pass http://@backend@; }
        location /kept   { larder_header X-Forwarded-Proto; proxy_pass http://@backend@; }
        location /passed { proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto; proxy_pass http://@backend@; }
        location /scheme { proxy_set_header X-Forwarded-Proto $scheme; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
$backend->set('/*' => {body => '{header:X-Forwarded-Proto} {n}', headers => [['Surrogate-Key', 'all']]});
my $sees = sub { my ($path, @said) = @_; my $r = $t->get($path, headers => [map { ('X-Forwarded-Proto' => $_) } @said]); ($r->body =~ /^(.*) \d+$/)[0] . ' ' . $r->larder };

for my $path (qw(/page /kept /passed)) {
    is_deeply [map { $sees->($path, 'https') } 1 .. 2], ['https MISS', 'https HIT'], "$path: https, as the balancer says";
    is $sees->($path, 'http'), 'http MISS', '... http is another page';
}
is $sees->('/page'), 'http HIT', 'without X-Forwarded-Proto the scheme of the connection counts';
is $sees->('/page', 'HTTPS, http'), 'https HIT', 'of several balancers the first counts';
is $sees->('/page', 'gopher'), 'http HIT', '... and unknown schemes are ignored';
is $sees->('/scheme', 'https'), 'http MISS', "where the configuration says what the site sees, it does";

# A refresh sends what the visitor's request would.
for my $path (qw(/page /scheme)) {
    my $seen = $path eq '/page' ? 'https' : 'http';
    my $before = $backend->count($path);
    $t->purge('tag=all');
    is $sees->($path, 'https'), "$seen STALE", "$path: purged";
    ok $t->await(sub { $sees->($path, 'https') eq "$seen HIT" && $backend->count($path) > $before }), '... and made anew, the same';
}

done_testing;
