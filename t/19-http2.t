# HTTP/2 clients get what others get: hits, waits, stale pages, pages of fragments, HEAD, ranges and 304, many on one
# connection.
use Larder::Test;
use JSON::PP qw(decode_json);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my ($key, $cert) = map { $t->dir . "/$_.pem" } qw(key cert);
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days', 2,
    '-keyout', $key, '-out', $cert, '-batch') == 0 or die 'openssl';
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_refresh inline;
    ssl_certificate @dir@/cert.pem;
    ssl_certificate_key @dir@/key.pem;
    server {
        listen @nginx@;
        listen @tls@ ssl http2;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend@; }
    }
CONF
# Requests all URLs in parallel on one connection. (Not over plain TCP, where curl 7.88 fails with any nginx.) Returns for each:
# [status, X-Larder, body].
sub curl {
    my ($paths, @more) = @_;
    my @urls = map { ('https://' . $t->address('tls') . $paths->[$_], '-o', $t->dir . "/out-$_") } 0 .. $#$paths;
    my ($code, $said) = $t->run_command(['curl', '-sS', '-k', '--http2', '--parallel', '--parallel-max', 100,
        '-w', '{"n":%{urlnum},"version":"%{http_version}","status":%{http_code},"larder":"%header{x-larder}"}\n', @more, @urls]);
    is $code, 0, 'curl is content' or diag $said;
    my @answers = sort { $a->{n} <=> $b->{n} } map { decode_json($_) } grep { /^\{/ } split /\n/, $said;
    is scalar(grep { $_->{version} eq '2' } @answers), scalar(@$paths), '... with HTTP/2';
    return map { [@$_{qw(status larder)}, $t->read_file($t->dir . "/out-$_->{n}")] } @answers;
}

$backend->set('/page' => {size => 200_000, etag => '"v1"'});
my ($miss) = curl(['/page']);
my ($hit)  = curl(['/page']);
is_deeply [map { $$_[0], $$_[1], length $$_[2] } $miss, $hit], [200, 'MISS', 200_000, 200, 'HIT', 200_000], "a miss and a hit";
is_deeply [map { @$_[0, 1] } curl(['/page'], '-I')], [200, 'HIT'], '... HEAD';
is_deeply [map { $$_[0], length $$_[2] } curl(['/page'], '-H', 'Range: bytes=0-9')], [206, 10], '... a range';
is_deeply [map { $$_[0] } curl(['/page'], '-H', 'If-None-Match: "v1"')], [304], '... 304';

$backend->set('/slow' => {delay => 0.3, size => 50_000});
my @all = curl([('/slow') x 50]);
is scalar(grep { $$_[0] == 200 && length $$_[2] == 50_000 } @all), 50, 'fifty streams of one connection wait for one page';
is $backend->count('/slow'), 1, '... which is rendered once';

$backend->set('/esi/page' => {body => 'a<esi:include src="/esi/one"/>b<esi:include src="/esi/two"/>c'}, '/esi/one' => {body => '[{path}]', delay => 0.05}, '/esi/two' => {body => '[{path}]', delay => 0.05});
is_deeply [map { $$_[2] } curl([('/esi/page') x 10])], [('a[/esi/one]b[/esi/two]c') x 10], 'pages of fragments';
is((curl(['/esi/page']))[0][2], 'a[/esi/one]b[/esi/two]c', '... from cache');

$backend->set('/stale' => {body => 'render {n}', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=60']]});
curl(['/stale']);
is_deeply [map { @$_[1, 2] } curl(['/stale'])], ['STALE', 'render 1'], 'a stale page';
ok $t->await(sub { $backend->count('/stale') == 2 }), '... is made anew';
$backend->set('/mine' => {body => 'page of {cookie:who}', delay => 0.1, headers => [['Cache-Control', 'private']]});
is_deeply [map { $$_[2] } curl([('/mine') x 5], '-H', 'Cookie: who=me; x=1')], [('page of me') x 5], 'a personal page, with its cookies';
is_deeply [map { @$_[1, 2] } curl(['/form'], '-d', 'a=1')], ['BYPASS', "/form render 1\n"], 'a form';

done_testing;
