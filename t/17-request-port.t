# $request_port (nginx 1.29.3), which the client states, has for the site the value that the key holds: in a miss, a fragment
# and a refresh.
use Larder::Test;

plan skip_all => 'nginx before 1.29.3 has no $request_port' if Larder::Test::nginx_version() < 1_029_003;
my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 4m;
    larder_refresh inline;
    server {
        listen @nginx@;
        larder near;
        larder_esi auto;
        larder_valid 1m;
        larder_stale while=1m;
        proxy_set_header X-Port $host$is_request_port$request_port;
        location / { proxy_pass http://@backend@; }
        location /moved/ { rewrite ^/moved(/.*) $1; }
        location /hand/ { try_files /nothing @site; }
        location @site { proxy_pass http://@backend@; }
    }
CONF
$backend->set('/*' => {body => '{header:X-Port} {n}'});
my $ask = sub { my ($path, $host) = @_; return $t->get($path, headers => [Host => $host])->body };

my $n = 0;
for my $place ('', '/moved', '/hand') {
    for my $case (['site', 'site'], ['site:80', 'site'], ['site:080', 'site'], ['site:8080', 'site:8080'], ['SITE.:8080', 'site:8080']) {
        my ($host, $expected) = @$case;
        my $path = "$place/page" . ++$n;
        is $ask->($path, $host), "$expected 1", "$path of $host";
        is $ask->($path, $expected), "$expected 1", '... kept for all who mean the same';
    }
}
is $ask->('/one', 'site:8080'), 'site:8080 1', 'a port';
is $ask->('/one', 'site'), 'site 2', '... is another page than without a port';

$backend->set('/page' => {body => '[<esi:include src="/part"/>]', headers => [['Surrogate-Control', 'content="ESI/1.0", max-age=60']]});
is $ask->('/page', 'site:8080'), '[site:8080 1]', 'a fragment has the port of its page';
is $ask->('/page', 'site'), '[site 2]', '... or none';

for my $host ('stale:8080', 'stale') {
    my $path = "/$host" =~ s/:/-/r;
    $backend->set($path => {body => '{header:X-Port} {n}', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=60']]});
    $ask->($path, $host) for 1 .. 2;
    ok $t->await(sub { $backend->count($path) == 2 }), "a refresh for $host";
    is_deeply [map { $$_[1] } grep { $$_[0] eq 'X-Port' } map { @{$_->{headers}} } grep { $_->{path} eq $path } $backend->log],
        [$host, $host], '... is told what the miss was told';
}

done_testing;
