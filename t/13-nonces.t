# A nonce that several visitors get would be known to whoever injects a script: pages whose policy has a nonce are not stored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid any 1m;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /kept { larder_csp_nonce keep; proxy_pass http://@backend@; }
        location /esi { larder_esi on; proxy_pass http://@backend@; }
    }
CONF
for my $field ('Content-Security-Policy', 'Content-Security-Policy-Report-Only') {
    my @nonce = (headers => [[$field, "default-src 'self'; script-src 'nonce-{n}'"], ['Cache-Control', 'max-age=60']]);
    $backend->set("/nonce/$field" => {@nonce}, "/kept/$field" => {@nonce}, "/esi/$field" => {@nonce}, "/plain/$field" => {headers => [[$field, "script-src 'self' 'sha256-nonce-'"]]});
    for my $path ("/nonce/$field", "/esi/$field") {
        my @answers = map { $t->get($path) } 1 .. 3;
        like $answers[0]->header('Cache-Status'), qr/detail=csp-nonce/, "$path: not kept";
        my %nonces = map { $_->header($field) => 1 } @answers;
        is keys %nonces, 3, '... each visitor has another nonce';
    }
    is join(' ', map { $t->get("/kept/$field")->larder } 1 .. 2), 'MISS HIT', '... unless the operator says so';
    is join(' ', map { $t->get("/plain/$field")->larder } 1 .. 2), 'MISS HIT', "$field without a nonce: kept";
}
done_testing;
