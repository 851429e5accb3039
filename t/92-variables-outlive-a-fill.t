# nginx caches variables, such as those of a map, over internal redirects. A fill must not change that, although it computes some
# variables again for the request to the backend.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    map $uri $section { default other; ~^/(?<first>[a-z]+)/ $first; }
    map $http_x_who $who { default nobody; ~. $http_x_who; }
    map "$uri of $who" $both { default "$uri of $who"; }
    split_clients $uri $half { 50% one; * two; }
    server {
        listen @nginx@;
        add_header X-Larder $larder_status;
        add_header X-Says "$section|$who|$both|$half";
        larder near;
        root @dir@/none;
        set $seen "$section$who$both$half";
        location / { try_files /none /index.php?page=$uri; }
        location = /index.php { proxy_pass http://@backend@; }
        location /off/ { try_files /none /index.off?page=$uri; }
        location = /index.off { larder off; proxy_pass http://@backend@; }
        location /accel/ { proxy_pass http://@backend@; }
        location /files/ { internal; proxy_pass http://@backend@; }
        location /wiki/ { rewrite ^ /index.php?title=$uri last; }
    }
CONF
$backend->set('/accel/page' => {headers => [['X-Accel-Redirect', '/files/page'], ['Cache-Control', 'max-age=60']]});
my $says = sub { my ($path, @who) = @_; my $r = $t->get($path, headers => [map { ('X-Who' => $_) } @who]); ($r->larder, $r->header('X-Says')) };
my (undef, $plain) = $says->('/off/page', 'ann');
like $plain, qr{^off\|ann\|/off/page of ann\|}, 'without Larder: what was computed where the client asked';
for my $path (qw(/shop/page /wiki/page /accel/page)) {
    my ($section) = $path =~ m{^/([a-z]+)/};
    my ($half) = (map { /\|([a-z]+)$/ } ($says->($path, 'eve'))[1]);
    for my $who (qw(ann bob)) {
        my ($larder, $said) = $says->($path, $who);
        is $said, "$section|$who|$path of $who|$half", "$path: $larder";
    }
}
for my $n (1 .. 3) {
    my ($larder, $said) = $says->("/shop/new$n", 'ann');
    is "$larder " . ($said =~ s/\|[a-z]+$//r), "MISS shop|ann|/shop/new$n of ann", 'after a fill';
    ($larder, $said) = $says->("/shop/new$n");
    is "$larder " . ($said =~ s/\|[a-z]+$//r), "HIT shop|nobody|/shop/new$n of nobody", '... and without one';
}
is_deeply [grep { grep { lc $_->[0] eq 'x-who' } @{$_->{headers}} } grep { $_->{path} eq '/index.php' } $backend->log], [], 'the site has seen nothing of it';
done_testing;
