# A page ends once: when its fragments end later, having been given up or redirected, they affect neither the page nor the next
# request on the client's connection.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    server { listen @nginx@; larder near; larder_esi on; larder_max_size 8m; location / { proxy_pass http://@backend@; } location = /next { larder off; proxy_pass http://@backend@; } }
CONF
my $slow = '<esi:include src="/slow" maxwait="50" onerror="continue"/>';
$backend->set(
    '/given-up'    => {body => "A${slow}B<esi:include src=\"/b\"/>C"},
    '/b'           => {body => "b($slow)", delay => 0.3},
    '/slow'        => {body => 'slow', delay => 1},
    '/redirected'  => {body => "A<esi:include src=\"/elsewhere\"/>B$slow"},
    '/elsewhere'   => {status => 302, delay => 0.2, headers => [['Location', 'http://elsewhere.example/x']]},
    '/attempt'     => {body => 'A<esi:try><esi:attempt><esi:include src="/bad"/><esi:include src="/redirects"/></esi:attempt><esi:except>sorry</esi:except></esi:try>B'},
    '/bad'         => {status => 404},
    '/redirects'   => {status => 302, delay => 0.3, headers => [['Location', '/slow']]},
    '/next'        => {body => 'the next one'},
);
for my $path (qw(/given-up /redirected /attempt)) {
    for my $close ('', "Connection: close\r\n") {
        my $bytes = $t->raw("GET $path HTTP/1.1\r\nHost: a\r\n$close\r\n" . ($close ? '' : "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 3);
        my $ends = () = $bytes =~ /(?:^|\r\n)0\r\n\r\n/g;
        is $ends, 1, "$path: one end" . ($close && ", then the connection closes");
        like $bytes, qr/0\r\n\r\nHTTP.*\r\n\r\nthe next one$/s, '... and then the next answer' unless $close;
    }
}
done_testing;
