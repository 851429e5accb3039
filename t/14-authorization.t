# larder_authorization: the answer to a request with credentials is given to others with credentials if the site allows it (RFC
# 9111 section 3.5), and to nobody else.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_lock 30s;
    server {
        listen @nginx@;
        larder near;
        larder_authorization shared;
        location / { proxy_pass http://@backend@; }
        location /valid/ { larder_valid 1m; proxy_pass http://@backend@; }
        location /store/ { larder main near=off; proxy_pass http://@backend@; }
        location /both/ { larder main; proxy_pass http://@backend@; }
        location /default/ { larder_authorization bypass; proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend@; }
    }
CONF
my $as = sub { my ($who, $path, @more) = @_; $t->get($path, headers => [$who ? (Authorization => $who) : (), @more]) };
my $seen = sub { my ($path, @who) = @_; join ' ', map { my $r = $as->($_, $path); $r->status . ' ' . $r->larder . ' ' . $r->body } @who };
my $says = sub { my ($path, $control, %more) = @_; $backend->set($path => {body => '{n}:{header:Authorization}', headers => [['Cache-Control', $control]], %more}) };

for my $word ('public, max-age=60', 's-maxage=60', 'max-age=60, must-revalidate') {
    for my $place ('', '/store', '/both') {
        my $path = "$place/" . ($word =~ s/\W+/-/gr);
        $says->($path, $word);
        like $seen->($path, 'Bearer a', 'Bearer b'), qr/^200 MISS 1:Bearer a 200 (?:HIT|COALESCED) 1:Bearer a$/, "$path: for others with credentials";
        is $seen->($path, ''), '200 MISS 2:', '... a visitor without credentials gets another page';
        is $t->head($path, headers => [Authorization => 'Bearer c'])->larder, 'HIT', '... HEAD';
    }
}
$says->('/valid/word', 'public');
is $seen->('/valid/word', 'x', 'y'), '200 MISS 1:x 200 HIT 1:x', 'how long may be the operator\'s word';
for my $headers ([['Surrogate-Control', 'max-age=60'], ['Cache-Control', 'public, max-age=0']], [['X-Accel-Expires', '60'], ['Cache-Control', 'public']],
    [['CDN-Cache-Control', 'public, max-age=60'], ['Cache-Control', 'private']]) {
    my $path = '/' . ($headers->[0][0]);
    $backend->set($path => {body => '{n}:{header:Authorization}', headers => $headers});
    is $seen->($path, 'x', 'y'), '200 MISS 1:x 200 HIT 1:x', "$path, with Cache-Control that allows sharing";
}

# No other answer is stored.
my %not = (
    'no word'  => [['Cache-Control', 'max-age=60']],
    'targeted' => [['CDN-Cache-Control', 'max-age=60'], ['Cache-Control', 'public, max-age=60']],
    'vary'     => [['Cache-Control', 'public, max-age=60'], ['Vary', 'Authorization']],
    'private'  => [['Cache-Control', 'public, private, max-age=60']],
    'cookie'   => [['Cache-Control', 'public, max-age=60'], ['Set-Cookie', 'a=b']],
);
for my $name (sort keys %not) {
    my $path = "/not/$name" =~ s/ /-/gr;
    $backend->set($path => {body => '{header:Authorization}', headers => $not{$name}});
    is join(' ', map { $as->($_, $path)->body } qw(a b)), 'a b', "$name: each gets their own";
}
$says->('/default/page', 'public, max-age=60');
is $seen->('/default/page', 'a', 'b'), '200 BYPASS 1:a 200 BYPASS 2:b', 'the default, bypass: requests with credentials are not cached';
like $as->('a', '/default/page')->header('Cache-Status'), qr/fwd=bypass; detail=authorization/, '... and says why';
$says->('/detail', 'max-age=60');
like $as->('a', '/detail')->header('Cache-Status'), qr/fwd=uri-miss; fwd-status=200; detail=authorization/, 'an answer that does not say so';

# The site sees the credentials, and otherwise only what the key holds.
$says->('/sent', 'public, max-age=60');
$as->('Bearer a', '/sent', Cookie => 'sid=1', 'X-Other' => 'x');
my %field = map { lc $_->[0] => $_->[1] } map { @{$_->{headers}} } grep { $_->{path} eq '/sent' } $backend->log;
is $field{authorization}, 'Bearer a', 'the site gets the credentials';
ok !exists $field{cookie} && !exists $field{'x-other'}, '... and not what the key lacks';

# A stale page is renewed by a visitor with credentials. Others get the stale page meanwhile, and no request is sent without
# credentials.
$says->('/renewed', 'public, max-age=1, stale-while-revalidate=600', etag => '"a"');
is $seen->('/renewed', 'a'), '200 MISS 1:a', 'a page with a stale window';
ok $t->await(sub { $as->('b', '/renewed')->larder eq 'REVALIDATED' }), '... is renewed by a visitor';
is_deeply [grep { my $asked = $_; $asked->{path} eq '/renewed' && !grep { lc $_->[0] eq 'authorization' } @{$asked->{headers}} } $backend->log], [], '... with credentials, each time';
$says->('/must', 's-maxage=1, stale-while-revalidate=600', etag => '"a"');
$as->('a', '/must');
my @states;
ok $t->await(sub { push @states, $as->('b', '/must')->larder; $states[-1] eq 'REVALIDATED' }), 's-maxage: past its time it is asked about';
ok !(grep { $_ eq 'STALE' } @states), '... and never served stale';

# A visitor whose credentials are refused does not end the page for others.
$says->('/each', 'max-age=0, must-revalidate', etag => '"a"');
is $seen->('/each', 'a', 'b'), '200 MISS 1:a 200 REVALIDATED 1:a', 'revalidated for each request';
$backend->set('/each' => {status => 401, body => 'no', headers => [['WWW-Authenticate', 'Bearer']]});
is $seen->('/each', 'bad', 'bad'), '401 MISS no 401 MISS no', '... refused: 401';
$says->('/each', 'max-age=0, must-revalidate', etag => '"a"');
is $seen->('/each', 'b'), '200 REVALIDATED 1:a', '... and the page is still here for others';
$backend->set('/cold' => {status => 403, body => 'no'});
is $seen->('/cold', 'bad'), '403 MISS no', 'refused first';
$says->('/cold', 'public, max-age=60');
is $seen->('/cold', 'a', 'b'), '200 MISS 2:a 200 HIT 2:a', '... the next one fills it';

# Visitors who wait for a fill that the site refuses don't wait for each other then.
$backend->set('/queue' => {status => 401, body => 'no', hold => 1});
my @waiting = map { my $s = Larder::Test::listens($t->address('nginx')); print $s "GET /queue HTTP/1.0\r\nHost: h\r\nAuthorization: bad$_\r\n\r\n"; $s->flush; $s } 1 .. 4;
ok $t->await(sub { $backend->count('/queue') == 1 }), 'four with bad credentials: one asks';
$backend->proceed;
ok $t->await(sub { $backend->stats->{paths}{'/queue'}{active} == 3 }), '... then the others do, side by side';
$backend->release;
is_deeply [map { local $/; <$_> =~ /^HTTP\S+ (\d+)/ } @waiting], [(401) x 4], '... and each gets its answer';

$backend->set('/esi/page' => {body => '<esi:include src="/esi/part"/>', headers => [['Cache-Control', 'public, max-age=60']]});
$says->('/esi/part', 'public, max-age=60');
is $seen->('/esi/page', 'a', 'b'), '200 MISS 1:a 200 HIT 1:a', 'fragments likewise';
done_testing;
