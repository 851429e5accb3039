# Random hostile clients, sites and documents: nothing crashes, hangs, or leaks to another visitor (tests/model/hostile).
# LARDER_HOSTILE_SECONDS makes it longer; `make asan` runs it with sanitizers.
use Larder::Test;
use IPC::Open2;
use JSON::PP qw(decode_json encode_json);

my $t     = Larder::Test->new;
my $seed  = $ENV{LARDER_TEST_SEED} || time;
my $redis = $t->redis;
$t->nginx(<<'CONF', workers => 2);
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 4m;
    larder_store main redis://@redis@ timeout=300ms;
    larder_valid 1s;
    larder_stale while=1s error=5s;
    larder_refresh inline;
    upstream site { server @site@; keepalive 8; }
    server {
        listen @nginx@;
        larder main;
        larder_esi auto timeout=500ms total=2s size=256k output=2m memory=2m;
        larder_max_size 128k;
        larder_encoding gzip;
        larder_request_control on;
        larder_vary key max=50;
        larder_esi_cookie sid;
        larder_csrf on;
        gzip on;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_read_timeout 1s;
        error_page 502 504 = @sorry;
        location /         { proxy_pass http://site; }
        location /esi      { larder_esi on; proxy_pass http://site; }
        location /near     { larder near; larder_cookie sid private; proxy_pass http://site; }
        location /group    { larder_group /tell cookie=sid timeout=200ms; proxy_pass http://site; }
        location = /tell   { proxy_pass http://site; }
        location /off      { larder off; proxy_pass http://site; }
        location /error    { proxy_intercept_errors on; error_page 404 500 /esi; proxy_pass http://site; }
        location /return   { return 200 "returned <esi:include src='/a'/>"; }
        location /internal { internal; return 200 "internal"; }
        location /denied   { deny all; proxy_pass http://site; }
        location /honest   { larder off; proxy_read_timeout 30s; proxy_pass http://@site@; }
        location @sorry    { return 200 "sorry"; }
        location @named    { proxy_pass http://site; }
    }
CONF
my $pid = open2(my $says, my $told, "$Larder::Test::root/tests/model/hostile", $seed, $ENV{LARDER_HOSTILE_SECONDS} || 20);
$told->autoflush;
print $told encode_json({site => $t->port('site'), nginx => $t->address('nginx')}), "\n";
my $result = decode_json(scalar <$says>);
waitpid $pid, 0;
note "LARDER_TEST_SEED=$seed: $result->{requests} requests, $result->{answers} answers";
is_deeply $result->{wrong}, [], 'no stranger saw a secret, and honest visitors were served' or diag "LARDER_TEST_SEED=$seed";
cmp_ok $result->{answers}, '>', 100, '... among many answers';

done_testing;
