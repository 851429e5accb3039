# Whatever a client sends, nobody else's page changes: what the key does not hold does not reach the backend.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_cookie lang value;
    large_client_header_buffers 8 64k;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; proxy_set_header Host $host; } }
    server { listen @nginx@; server_name evil.example; location / { larder near; proxy_pass http://@backend@/of-evil/; } }
CONF
my @evil = ('X-Forwarded-Host' => 'evil.example', 'X-Original-URL' => '/evil', 'X-Evil' => 'evil', 'Accept-Language' => 'evil',
    'User-Agent' => 'evil', Referer => 'http://evil.example/', 'Larder-Route' => 'evil', 'Larder-Fence' => 'evil',
    Origin => 'http://evil.example', Forwarded => 'host=evil.example', 'Cache-Control' => 'x-evil', TE => 'evil');
is $t->get('/page', headers => [@evil])->status, 200, 'a request full of fields outside the key';
my ($seen) = $backend->log;
ok !(grep { $$_[1] =~ /evil/ } @{$seen->{headers}}), 'none of them reaches the backend' or diag explain $seen;
$backend->reset;
$backend->set('/private' => {headers => [['Cache-Control', 'no-store']]});
$t->get('/private', headers => [@evil]) for 1 .. 2;
ok !(grep { $$_[0] =~ /^larder-/i && $$_[1] =~ /evil/ } map { @{$_->{headers}} } $backend->log),
    'Larder-* of a client never passes, not even where nothing is cached';

my %bodies;
$bodies{$t->get($_)->body}++ for '/b?x=1', '/b%3Fx=1', '/b?x=1&', '/B?x=1';
is scalar(keys %bodies), 4, 'targets that look alike are pages of their own';
$backend->set('/host' => {body => '{host}'});
is $t->get('/host', headers => [Host => 'good.example'])->body, 'good.example', 'a page that shows its host';
my $address = $t->address('nginx');
for my $page (qw(/new /host)) {
    like $t->raw("GET http://evil.example$page HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n"), qr{/of-evil$page render},
        "$page: an absolute target names the host (RFC 9112 section 3.2.2)";
    unlike $t->get($page, headers => [Host => 'good.example'])->body, qr/evil/, '... and nothing of it is kept for the one in Host';
}
like $t->raw("GET /host HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), qr/^HTTP\/1\.1 400/, 'two hosts are refused';
like $t->raw("GET /page HTTP/1.0\r\n\r\n"), qr/^HTTP\/1\.1 200/, 'HTTP/1.0 without a host is served';
my $pipelined = $t->raw("GET /page HTTP/1.1\r\nHost: $address\r\n\r\n" x 20 . "GET /page HTTP/1.1\r\nHost: $address\r\nConnection: close\r\n\r\n");
is scalar(() = $pipelined =~ /\/page render/g), 21, 'pipelined requests are all answered';

for my $cookies (join('; ', map { "c$_=$_" } 1 .. 2000), 'lang=' . 'x' x 20_000, '=;;=; lang==;=x', "lang=\x80\xff", 'lang="a;b"') {
    is $t->get('/page', headers => [Cookie => $cookies])->status, 200, 'cookies of ' . length($cookies) . ' bytes are served';
}

$backend->set('/auth' => {body => 'for {header:Authorization}'});
for my $who (qw(alice bob alice)) {
    is $t->get('/auth', headers => [Authorization => $who])->body, "for $who", "Authorization: $who gets what is $who\'s";
}
is $t->get('/auth')->body, 'for ', '... and a visitor without credentials gets none of it';

done_testing;
