# Cache poisoning: what the key does not hold can't get into anybody else's page, as the backend never sees it.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid any 1m;
    large_client_header_buffers 8 32k;
    proxy_set_header Host $http_host;
    proxy_set_header Connection $http_connection;
    server {
        listen @nginx@ default_server;
        server_name site;
        location / { larder near; larder_cookie lang value; larder_query drop utm_*; proxy_pass http://@backend@; }
        location /off/ { proxy_pass http://@backend@; }
    }
CONF
$backend->set('/*' => {echo => 1});
my @site = (Host => 'site');
my $n    = 0;

# Each of these requests is the first for a page; then somebody else requests it.
my %field = map { $_ => 'evil.example' } qw(X-Forwarded-Host X-Host X-Forwarded-Server X-HTTP-Host-Override X-Original-Host Forwarded
    X-Forwarded-For X-Forwarded-Proto X-Forwarded-Scheme X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-SSL Front-End-Https X-Real-IP
    True-Client-IP CF-Connecting-IP X-Original-URL X-Rewrite-URL X-Original-URI X-Request-URI X-Script-Name Script-Name
    X-HTTP-Method-Override X-HTTP-Method X-Method-Override Accept Accept-Language Accept-Charset Accept-Encoding User-Agent Origin Referer
    DNT Sec-Fetch-Mode Save-Data X-Requested-With X-WP-Nonce X-Inertia HX-Request RSC Next-Router-State-Tree Purpose
    Access-Control-Request-Method Via Max-Forwards Content-Type Content-Encoding Expect TE Trailer Keep-Alive Proxy-Connection
    Proxy-Authorization Range If-Range If-None-Match If-Modified-Since If-Match If-Unmodified-Since Surrogate-Capability
    Cache-Control Pragma Cookie Cookie2 Larder-Route Larder-Group X-Accel-Redirect Connection);
# For backends that treat "_" as "-", or that unfold or trim what they should not.
my @odd = ("X_Forwarded_Host: evil", "Host_: evil", "X-Evil : evil", "X-Evil: a\tevil", "X-Meta: evil\x7f\x01", 'X-Big: evil' . 'x' x 30_000,
    "Cookie: lang; lang=; x=evil", "Cookie: \x01=evil", 'Cookie: evil="; lang=evil');
my $arrived = 0;
for my $line ((map { "$_: $field{$_}" } sort keys %field), @odd) {
    my $page    = '/page-' . ++$n;
    my $request = "HTTP/1.1\r\nHost: site\r\n$line\r\n" . ($line =~ /^Connection/ ? '' : "Connection: close\r\n") . "\r\n";
    $arrived++ if $t->{nginx}->raw("GET /off$page $request", 0.2) =~ /evil/;
    $t->{nginx}->raw("GET $page $request", 0.2);
    my $victim = $t->get($page, headers => \@site);
    my ($name) = $line =~ /^([^:]*)/;
    ok $victim->status == 200 && $victim->body !~ /evil/i, "$name is in nobody else's page" or diag $victim->status, ' ', $victim->body;
}
cmp_ok $arrived, '>', 60, '... and a location without Larder does pass them on' or diag $arrived;

# [what is sent, where P is the payload; the query of the page that might be poisoned; body]
for my $case (
    ["GET http://site/P HTTP/1.1\r\nHost: evil.example\r\n"],
    ["GET http://evil.example/P HTTP/1.1\r\nHost: site\r\n"],
    ["GET http://evil.example:80/P HTTP/1.1\r\nHost: site\r\n"],
    ["GET http://site\@evil.example/P HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site:evil\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site:8\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site\@evil\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site/evil\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site\r\nHost: evil\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site evil\r\n"],
    ["GET /P HTTP/1.1\r\nHost: evil\r\n"],
    ["GET /P#evil HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P?utm_x=1;evil=1 HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P?utm_x=1%26evil=1 HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P?%75tm_x=evil HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P?UTM_X=evil HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P?x=1&utm_x=evil HTTP/1.1\r\nHost: site\r\n", '?x=1'],
    ["GET /P?x=1&x=evil HTTP/1.1\r\nHost: site\r\n", '?x=1'],
    ["GET /P?x=1;x=evil HTTP/1.1\r\nHost: site\r\n", '?x=1'],
    ["GET /P?X=evil HTTP/1.1\r\nHost: site\r\n", '?x=evi'],
    ["GET /P%3fevil HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P%23evil HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P;evil HTTP/1.1\r\nHost: site\r\n"],
    ["GET /evil/..%2fP HTTP/1.1\r\nHost: site\r\n"],
    ["GET /evil/../P HTTP/1.1\r\nHost: site\r\n"],
    ["GET //evil//../P HTTP/1.1\r\nHost: site\r\n"],
    ["GET /evil\\..\\P HTTP/1.1\r\nHost: site\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site\r\nContent-Length: 6\r\n", undef, 'x=evil'],
    ["GET /P HTTP/1.1\r\nHost: site\r\nTransfer-Encoding: chunked\r\n", undef, "6\r\nx=evil\r\n0\r\n\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n", undef, "6\r\nx=evil\r\n0\r\n\r\n"],
    ["GET /P HTTP/1.1\r\nHost: site\r\nTransfer-Encoding: xchunked\r\nContent-Length: 6\r\n", undef, 'x=evil'],
    ["GET /P HTTP/1.1\r\nHost: site\r\nTransfer-Encoding : chunked\r\nContent-Length: 6\r\n", undef, "x=evil"],
    ["GET /P HTTP/1.1\r\nHost: site\r\nContent-Length: 6\r\nContent-Length: 0\r\n", undef, 'x=evil'],
    ["GET /P HTTP/1.1\r\nHost: site\r\nUpgrade: evil\r\n"],
    ["HEAD /P HTTP/1.1\r\nHost: site\r\nX-Evil: evil\r\n"],
    ["POST /P HTTP/1.1\r\nHost: site\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 6\r\n", undef, 'x=evil'],
    ["OPTIONS /P HTTP/1.1\r\nHost: site\r\nOrigin: evil\r\n"],
    ["EVIL /P HTTP/1.1\r\nHost: site\r\n"],
    ["get /P HTTP/1.1\r\nHost: site\r\nX-Evil: evil\r\n"],
    ["GET /P HTTP/1.0\r\nX-Evil: evil\r\n"],
) {
    my ($request, $query, $body) = @$case;
    my $page = '/page-' . ++$n;
    $request =~ s{/P}{$page};
    $t->{nginx}->raw("${request}Connection: close\r\n\r\n" . ($body // ''), 0.2);
    my $victim = $t->get($page . ($query // ''), headers => \@site);
    (my $shown = $request =~ s/\r\n/ | /gr) =~ s/\Q$page\E/\/P/;
    ok $victim->status == 200 && $victim->body !~ /evil\b/i, $shown or diag $victim->status, ' ', $victim->body;
    like $victim->body, qr/"Host", "site"/, '... and the page is made for its own host';
}

# If nginx itself refuses a request, the next visitor does not get that refusal.
for my $bad ('GET /refused HTTP/1.1' . "\r\nHost: site\r\nX: " . 'x' x 40_000, "GET /refused HTTP/9.1\r\nHost: site", "GET /refused\x00 HTTP/1.1\r\nHost: site",
    "GET /refused HTTP/1.1\r\nHost: site\r\nContent-Length: 99999999", "GET /refused HTTP/1.1\r\nHost: site\r\nRange: bytes=9-1",
    "GET /refused HTTP/1.1\r\nHost: site\r\nIf-Match: \"evil\"", "GET /refused HTTP/1.1\r\nHost: site\r\nExpect: evil") {
    $t->{nginx}->raw("$bad\r\nConnection: close\r\n\r\n", 0.2);
    is $t->get('/refused', headers => \@site)->status, 200, 'a refusal is nobody else\'s: ' . substr($bad =~ s/[\r\n\0]+/ | /gr, 0, 60);
}

done_testing;
