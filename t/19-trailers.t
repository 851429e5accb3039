# Trailers that nginx passes on (1.27.2, proxy_pass_trailers) reach the client that a page is made for; a hit has none, and says none.
use Larder::Test;

plan skip_all => 'nginx before 1.27.2 passes no trailers on' if Larder::Test::nginx_version() < 1_027_002;
my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 4m;
    larder_valid 1m;
    proxy_http_version 1.1;
    proxy_set_header Connection te;
    proxy_set_header TE trailers;
    proxy_pass_trailers on;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /off/ { larder off; proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend@; }
    }
CONF
my @trailers = (chunked => JSON::PP::true, headers => [['Trailer', 'X-Sum']], trailers => [['X-Sum', '1']]);
$backend->set(map { ($_ => {@trailers, body => 'the page'}) } '/page', '/off/page', '/part');
$backend->set('/esi/page' => {@trailers, body => '[<esi:include src="/part"/>]'});
my $ask = sub { my ($path) = @_; return $t->raw("GET $path HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n") };

my $passed_on = qr/\r\nthe page\r\n0\r\nX-Sum: 1\r\n\r\n\z/;
like $ask->('/off/page'), $passed_on, 'a page past the cache has its trailers';
like $ask->('/page'), $passed_on, 'a miss has them';
my $hit = $ask->('/page');
like $hit, qr/X-Larder: HIT\r.*\r\n\r\nthe page\z/s, 'a hit is whole';
unlike $hit, qr/X-Sum/, '... and promises nothing that it lacks';
for my $what ('a page of fragments', '... from cache') {
    my $page = $ask->('/esi/page');
    my ($header, $body) = split /\r\n\r\n/, $page, 2;
    like $body, qr/\[.*the page.*\]/s, $what;
    unlike $header, qr/X-Sum: /, '... has no trailer in its header';
}

done_testing;
