# 103 (nginx 1.29.0): a client gets the hints that arrive while its page is made. A stored page, a fragment and a refresh have
# none, and are not harmed by them.
use Larder::Test;

plan skip_all => 'nginx before 1.29.0 passes no 103 on' if Larder::Test::nginx_version() < 1_029_000;
my $t       = Larder::Test->new;
my $backend = $t->backend;
my ($key, $cert) = map { $t->dir . "/$_.pem" } qw(key cert);
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days', 2,
    '-keyout', $key, '-out', $cert, '-batch') == 0 or die 'openssl';
$t->nginx(<<'CONF');
    larder_zone 4m;
    larder_refresh inline;
    early_hints 1;
    server {
        listen @nginx@;
        listen @tls@ ssl;
        http2 on;
        ssl_certificate @dir@/cert.pem;
        ssl_certificate_key @dir@/key.pem;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /off/ { larder off; proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; larder_valid 1m; proxy_pass http://@backend@; }
    }
CONF
my @early = (early => [['Link', '</a.css>; rel=preload']]);
my $ask = sub { my ($path) = @_; return $t->raw("GET $path HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") };
my $hint = qr{\AHTTP/1\.1 103 Early Hints\r\nLink: </a\.css>; rel=preload\r\n\r\n(?=HTTP/1\.1 200 )};

my @fresh = (headers => [['Cache-Control', 'max-age=60']]);
$backend->set(map { ($_ => {@early, @fresh, body => 'the page'}) } '/off/page', '/page', '/h2');
like $ask->('/off/page'), $hint, 'a page past the cache has its hints';
like $ask->('/page'), $hint, 'a miss has them';
like $ask->('/page'), qr{\AHTTP/1\.1 200 .*X-Larder: HIT\r.*\r\n\r\nthe page\z}s, 'a hit has none';
for my $expected (qr/^HTTP\/2 103 \r\nlink: .*^HTTP\/2 200.*^x-larder: MISS/ms, qr/\AHTTP\/2 200.*^x-larder: HIT/ms) {
    my ($code, $said) = $t->run_command(['curl', '-sS', '-k', '-i', '--http2', 'https://' . $t->address('tls') . '/h2']);
    like $said, $expected, '... with HTTP/2';
}

$backend->set('/esi/page' => {@early, body => '[<esi:include src="/part"/>]'}, '/part' => {@early, @fresh, body => 'part'});
like $ask->('/esi/page'), qr/${hint}.*\[\r.*part\]/s, 'a page of fragments has its own';
unlike $ask->('/esi/page'), qr/ 103 /, '... and none from cache';

$backend->set('/stale' => {@early, body => 'render {n}', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=60']]});
like $ask->('/stale'), $hint, 'a page';
like $ask->('/stale'), qr{\AHTTP/1\.1 200 .*render 1\z}s, '... that is stale';
ok $t->await(sub { $ask->('/stale') =~ /render [23]\z/ }), '... is refreshed';

done_testing;
