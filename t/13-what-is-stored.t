# Only complete answers that may be shared are stored: RFC 9111 section 3.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    proxy_http_version 1.1;
    server {
        listen @nginx@;
        location /targeted/ { larder near; larder_targeted Mine-Cache-Control; proxy_pass http://@backend@; }
        location /silent/ { larder near; proxy_pass http://@backend@; }
        location / {
            larder near;
            larder_valid 200 301 1m;
            larder_valid 404 10s;
            proxy_pass http://@backend@;
            proxy_read_timeout 2s;
        }
    }
CONF

# [what, rule, stored?]
my @answers = (
    ['nothing said, larder_valid', {}, 1],
    ['max-age', {headers => [['Cache-Control', 'max-age=60']]}, 1],
    ['s-maxage over max-age=0', {headers => [['Cache-Control', 'max-age=0, s-maxage=60']]}, 1],
    ['Surrogate-Control over no-store', {headers => [['Cache-Control', 'no-store'], ['Surrogate-Control', 'max-age=60']]}, 1],
    ['CDN-Cache-Control over private', {headers => [['Cache-Control', 'private'], ['CDN-Cache-Control', 'max-age=60']]}, 1],
    ['404 with a rule', {status => 404}, 1],
    ['Vary: Cookie', {headers => [['Vary', 'Cookie']]}, 1],
    ['Vary: Accept-Encoding', {headers => [['Vary', 'Accept-Encoding']]}, 1],
    ['no-store', {headers => [['Cache-Control', 'no-store']]}, 0],
    ['private', {headers => [['Cache-Control', 'private, max-age=60']]}, 0],
    ['no-cache', {headers => [['Cache-Control', 'no-cache']]}, 0],
    ['Set-Cookie', {headers => [['Set-Cookie', 'a=1'], ['Cache-Control', 'public, max-age=60']]}, 0],
    ['Vary: *', {headers => [['Vary', '*']]}, 0],
    ['500', {status => 500}, 0],
    ['503', {status => 503}, 0],
    ['410 without a rule', {status => 410}, 0],
    ['compressed by the backend', {gzip => 'always'}, 1],
    ['in a coding of its own', {headers => [['Content-Encoding', 'secret']]}, 0],
    ['Expires in the past', {headers => [['Expires', 'Thu, 01 Jan 1970 00:00:00 GMT']]}, 0],
    ['cut off before its length', {fault => 'truncate', size => 60_000}, 0],
    ['cut off in its chunks', {fault => 'truncate', size => 60_000, chunked => 1}, 0],
    ['a bad chunk', {fault => 'bad-chunk', size => 60_000}, 0],
    ['gone midway in its header', {fault => 'die'}, 0],
    ['closed without an answer', {fault => 'close'}, 0],
    ['no HTTP', {fault => 'garbage'}, 0],
    ['1 MB', {size => 1_000_000}, 1],
    ['more than the limit of one entry', {size => 1_100_000}, 0],
);

my $n = 0;
for my $answer (@answers) {
    my ($what, $rule, $stored) = @$answer;
    my $path = '/answer-' . ++$n;
    $backend->set($path => $rule);
    my ($first, $second) = map { $t->get($path) } 1 .. 2;
    is $second->larder eq 'HIT' ? 1 : 0, $stored, "$what: " . ($stored ? 'kept' : 'not kept') or diag $second->larder, ' ', $second->header('Cache-Status');
    is length $second->body, length $first->body, "$what: the same body twice" unless $rule->{fault};
    is $first->status, $rule->{status} || 200, "$what: passed on as it was" unless $rule->{fault};
}

$backend->set('/silent/page' => {});
$t->get('/silent/page') for 1 .. 2;
is $backend->count('/silent/page'), 2, 'without any lifetime, nothing is stored';
$backend->set('/silent/aged' => {headers => [['Cache-Control', 'max-age=60'], ['Age', '20']]});
$t->get('/silent/aged');
cmp_ok $t->get('/silent/aged')->header('Age'), '>=', 20, 'an Age from the backend counts';

my %shown = map { lc $_->[0] => 1 } map { @{$t->get("/answer-$_")->{headers}} } 4, 5;
ok !$shown{'surrogate-control'} && !$shown{'cdn-cache-control'}, 'fields for Larder are not sent to the client';
$backend->set('/targeted/page' => {headers => [['Mine-Cache-Control', 'max-age=60'], ['CDN-Cache-Control', 'no-store'], ['Cache-Control', 'private']]});
my ($filled, $kept) = map { $t->get('/targeted/page') } 1 .. 2;
is $kept->larder, 'HIT', 'larder_targeted: the field that is named counts';
ok !defined $_->header('Mine-Cache-Control'), '... and ends here' for $filled, $kept;
is $_->header('CDN-Cache-Control'), 'no-store', '... and others are for others' for $filled, $kept;
my $tagged = {headers => [['Surrogate-Key', 'a b'], ['Cache-Tag', 'c'], ['xkey', 'd'], ['Larder-Anything', 'e']]};
$backend->set('/tagged' => $tagged);
for (1 .. 2) {
    ok !(grep { $_->[0] =~ /^(?:surrogate-key|cache-tag|xkey|larder-)/i } @{$t->get('/tagged')->{headers}}), '... nor are tags';
}

done_testing;
