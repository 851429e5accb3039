# Sites with one name on different ports or addresses have different pages, however a client spells the port, or if it omits it.
use Larder::Test;

my $t = Larder::Test->new;
my %page = map { my $site = $_; ($site => $t->backend(name => "backend_$site")) } qw(a b);
$page{$_}->set('/*' => {headers => [['Cache-Control', 'max-age=60']], body => "site $_ of {path}"}) for qw(a b);
my ($key, $cert) = map { $t->dir . "/$_.pem" } qw(key cert);
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days', 2,
    '-keyout', $key, '-out', $cert, '-batch') == 0 or die 'openssl';
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder near;
    proxy_set_header Host $http_host;
    ssl_certificate @dir@/cert.pem;
    ssl_certificate_key @dir@/key.pem;
    server {
        listen @a@;
        listen @a_tls@ ssl http2;
        listen 127.0.0.2:@shared.port@;
        server_name localhost;
        location / { proxy_pass http://@backend_a@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend_a@; }
    }
    server {
        listen @b@;
        listen @b_tls@ ssl http2;
        listen 127.0.0.3:@shared.port@;
        server_name localhost;
        location / { proxy_pass http://@backend_b@; }
        location = /purge { larder_purge; }
    }
    server { listen @nginx@; return 204; }
CONF
my %port = map { ($_ => $t->port($_)) } qw(a b a_tls b_tls shared);

sub body {
    my ($to, $request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $to, Proto => 'tcp') or die "$to: $!";
    print {$socket} "$request\r\nConnection: close\r\n\r\n";
    local $/;
    my ($body) = <$socket> =~ /\r\n\r\n(.*)/s;
    return $body;
}

# [request to either site; PORT is that site's own]
my $n = 0;
for my $spelling ("GET /P HTTP/1.1\r\nHost: localhost:PORT", "GET /P HTTP/1.1\r\nHost: localhost", "GET /P HTTP/1.1\r\nHost: LOCALHOST.",
    "GET /P HTTP/1.1\r\nHost: localhost:80", "GET /P HTTP/1.1\r\nHost: other", "GET /P HTTP/1.0", "GET http://localhost:PORT/P HTTP/1.1\r\nHost: localhost",
    "GET http://localhost/P HTTP/1.1\r\nHost: localhost:PORT", "GET http://localhost:80/P HTTP/1.1\r\nHost: x",
    "GET http://LOCALHOST:0PORT/P HTTP/1.1\r\nHost: localhost") {
    for my $first (qw(a b)) {
        my $page = '/page-' . ++$n;
        for my $site ($first, $first eq 'a' ? 'b' : 'a') {
            my $request = $spelling =~ s/PORT/$port{$site}/gr =~ s{/P}{$page}r;
            is body("127.0.0.1:$port{$site}", $request), "site $site of $page", "$spelling, to $site" =~ s/\r\n/ | /gr;
        }
    }
}

# The port in an absolute target counts, not that in Host.
body("127.0.0.1:$port{b}", "GET http://localhost:$port{a}/target HTTP/1.1\r\nHost: localhost");
is body("127.0.0.1:$port{a}", "GET /target HTTP/1.1\r\nHost: localhost:$port{a}"), 'site a of /target', "a target that names the other's port";
body("127.0.0.1:$port{a}", "GET http://localhost:8080/absolute HTTP/1.1\r\nHost: localhost");
body("127.0.0.1:$port{a}", "GET /absolute HTTP/1.1\r\nHost: localhost:8080");
is $page{a}->count('/absolute'), 1, 'a target and a Host that name the same';
body("127.0.0.1:$port{a}", "GET /absolute HTTP/1.1\r\nHost: localhost");
is $page{a}->count('/absolute'), 2, '... are other pages than those without a port';
is_deeply [map { my $r = $_; grep { lc $$_[0] eq 'host' } @{$r->{headers}} } grep { $_->{path} eq '/absolute' } $page{a}->log],
    [['Host', 'localhost:8080'], ['Host', 'localhost']], '... for the backend, too';

# Same port, other address.
for my $host ('localhost', "localhost:$port{shared}") {
    my $page = '/address-' . ++$n;
    is body("127.0.0.2:$port{shared}", "GET $page HTTP/1.1\r\nHost: $host"), "site a of $page", "one address, Host: $host";
    is body("127.0.0.3:$port{shared}", "GET $page HTTP/1.1\r\nHost: $host"), "site b of $page", '... the other';
}

# HTTP/2: the client names the authority.
for my $first (qw(a b)) {
    for my $host ([], [-H => 'Host: localhost'], [-H => 'Host: localhost:443']) {
        my $page = '/page-' . ++$n;
        for my $site ($first, $first eq 'a' ? 'b' : 'a') {
            my ($code, $got) = $t->run_command(['curl', '-sS', '-k', '--http2', @$host, 'https://127.0.0.1:' . $port{"${site}_tls"} . $page]);
            is $got, "site $site of $page", "HTTP/2, @$host, to $site";
        }
    }
}

# A purge of the URL concerns the pages of both sites, as it does not name a socket.
my $ask = sub { body("127.0.0.1:$port{$_[0]}", "GET /purged HTTP/1.1\r\nHost: localhost") };
$ask->($_) for qw(a b a b);
body("127.0.0.1:$port{b}", "POST /purge?url=http://LOCALHOST:080/purged&mode=hard HTTP/1.1\r\nHost: x\r\nContent-Length: 0");
$ask->($_) for qw(a b a b);
is $page{$_}->count('/purged'), 2, "a purge by URL: site $_ was asked once more" for qw(a b);

# A page sees of its host only what the key holds.
$page{a}->set('/esi/*' => {headers => [['Cache-Control', 'max-age=60']], body => '<esi:vars>for $(HTTP_HOST)</esi:vars>'});
like body("127.0.0.1:$port{a}", "GET http://LOCALHOST:80/esi/page HTTP/1.1\r\nHost: evil.example"), qr/^for localhost\r?$/m, 'the host in a page is that of the target' for 1 .. 2;
like body("127.0.0.1:$port{a}", "GET /esi/page HTTP/1.1\r\nHost: Localhost."), qr/^for localhost\r?$/m, '... however it is spelt';
like body("127.0.0.1:$port{a}", "GET /esi/page HTTP/1.1\r\nHost: localhost:81"), qr/^for localhost:81\r?$/m, '... with its port';

done_testing;
