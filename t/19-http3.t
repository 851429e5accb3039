# HTTP/3 clients get what others get: sites with one name on different ports, hits, waits, pages of fragments, stale pages; and
# a fill goes on when they leave.
use Larder::Test;

plan skip_all => 'this nginx was built without HTTP/3' unless Larder::Test::nginx_has('--with-http_v3_module');
my $t = Larder::Test->new;
my %page = map { my $site = $_; ($site => $t->backend(name => "backend_$site")) } qw(a b);
my ($key, $cert) = map { $t->dir . "/$_.pem" } qw(key cert);
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days', 2,
    '-keyout', $key, '-out', $cert, '-batch') == 0 or die 'openssl';
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder near;
    larder_refresh inline;
    larder_lock 30s;
    proxy_set_header Host $http_host;
    proxy_set_header X-Host $host;
    ssl_certificate @dir@/cert.pem;
    ssl_certificate_key @dir@/key.pem;
    server {
        listen @nginx@;
        listen @a@ ssl;
        listen @a@ quic;
        server_name localhost;
        location / { proxy_pass http://@backend_a@; }
        location /esi/ { larder_esi on; larder_valid 1m; proxy_pass http://@backend_a@; }
    }
    server {
        listen @b@ ssl;
        listen @b@ quic;
        server_name localhost;
        location / { proxy_pass http://@backend_b@; }
    }
CONF
my %port = map { ($_ => $t->port($_)) } qw(a b);
$page{$_}->set('/*' => {headers => [['Cache-Control', 'max-age=60']], body => "site $_ of {path} for {header:X-Host}"}) for qw(a b);
my $one = sub { my ($site, $url, @options) = @_; return ($t->http3($site, [$url], @options))[0] };

# [authority; PORT is the site's own]
my $n = 0;
for my $authority ('localhost:PORT', 'localhost', 'LOCALHOST.', 'localhost:443', 'other', 'other:8080') {
    for my $first (qw(a b)) {
        my $path = '/page-' . ++$n;
        for my $site ($first, $first eq 'a' ? 'b' : 'a') {
            my $url = "https://$authority$path" =~ s/PORT/$port{$site}/r;
            my ($miss, $hit) = map { $one->($site, $url) } 1 .. 2;
            is_deeply [map { $_->status, $_->larder } $miss, $hit], [200, 'MISS', 200, 'HIT'], "$url, asked of $site";
            like $miss->body, qr{^site $site of $path for (?:localhost|other)$}, '... is its own page';
            is $hit->body, $miss->body, '... on the hit, too';
        }
    }
}
$one->('a', 'https://LOCALHOST:0443/same');
is $one->('a', 'https://localhost/same')->larder, 'HIT', 'an authority in another spelling';
is $one->('a', 'https://localhost:444/same')->larder, 'MISS', '... but not with another port';
my $same = sub { ($t->run_command(['curl', '-sS', '-k', @_, "https://127.0.0.1:$port{a}/alike"]))[1] };
is $one->('a', "https://localhost:$port{a}/alike")->larder, 'MISS', 'a page by HTTP/3';
$same->('--http1.1', -H => "Host: localhost:$port{a}");
is $page{a}->count('/alike'), 1, '... is that of HTTP/1.1';

my @spellings = map { $_->{headers} } grep { $_->{path} eq '/same' } $page{a}->log;
is_deeply [map { my $h = $_; map { $$_[1] } grep { $$_[0] eq 'Host' } @$h } @spellings], ['localhost', 'localhost:444'], 'the site is told the host of the key';

my $slow = {size => 5_000, delay => 0.3, headers => [['Cache-Control', 'max-age=60']]};
$page{a}->set('/slow' => $slow);
my @all = $t->http3('a', [('https://localhost/slow') x 50]);
is scalar(grep { $_->status == 200 && $_->{length} == 5_000 } @all), 50, 'fifty streams of one connection wait for one page';
is $page{a}->count('/slow'), 1, '... which is rendered once';
is $one->('a', 'https://localhost/slow', '--http-method=HEAD')->larder, 'HIT', '... HEAD';

$page{a}->set('/esi/page' => {body => 'a<esi:include src="/esi/one"/>b<esi:include src="/esi/two"/>c'}, map { ($_ => {body => '[{path}]', delay => 0.05}) } '/esi/one', '/esi/two');
is_deeply [map { $_->{length} } $t->http3('a', [('https://localhost/esi/page') x 10])], [(length 'a[/esi/one]b[/esi/two]c') x 10], 'pages of fragments';
is $one->('a', 'https://localhost/esi/page')->body, 'a[/esi/one]b[/esi/two]c', '... from cache';

$page{a}->set('/stale' => {body => 'render {n} for {host}', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=60']]});
$one->('a', 'https://localhost:8080/stale');
my $stale = $one->('a', 'https://localhost:8080/stale');
is_deeply [$stale->larder, $stale->body], ['STALE', 'render 1 for localhost:8080'], 'a stale page';
ok $t->await(sub { $page{a}->count('/stale') == 2 }), '... is made anew';
ok $t->await(sub { $one->('a', 'https://localhost:8080/stale')->body eq 'render 2 for localhost:8080' }), '... for the same host';

# A client tells the server that it leaves: before the answer, or in the middle of it.
sub leaves {
    my ($path, $when, $then) = @_;
    defined(my $pid = fork) or die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', $t->dir . '/leaver.out';
        exec 'gtlsclient', '127.0.0.1', $port{a}, "https://localhost$path" or POSIX::_exit(127);
    }
    ok $t->await($when), "a client asks for $path";
    kill INT => $pid;
    waitpid $pid, 0;
    $t->http3('a', ['https://localhost/ping']);    # by now nginx has noticed
    is $page{a}->stats->{paths}{$path}{active}, 1, '... and leaves: the backend goes on';
    $page{a}->release;
    ok $t->await(sub { $one->('a', "https://localhost$path")->larder eq 'HIT' }, 'a hit', 30), '... the page is kept';
    is $one->('a', "https://localhost$path")->{length}, 400_000, '... all of it';
    is $page{a}->count($path), 1, '... of one render';
}
my @kept = (size => 400_000, headers => [['Cache-Control', 'max-age=60']]);
$page{a}->set('/left' => {@kept, hold => JSON::PP::true}, '/left-midway' => {@kept, pace => 4_000});
leaves('/left', sub { $page{a}->count('/left') == 1 });
leaves('/left-midway', sub { $t->read_file($t->dir . '/leaver.out') =~ /body \d+ bytes/ });
my $form = $t->file('form', 'a=1');
my $posted = $one->('a', 'https://localhost/form', '--http-method=POST', "--data=$form");
is_deeply [$posted->status, $posted->larder], [200, 'BYPASS'], 'a form';

done_testing;
