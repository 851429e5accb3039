# An answer in a content coding that Larder can't decode is stored as it is, for clients whose Accept-Encoding names that
# coding, and is never given to others. ESI markup in it can't be processed.
use Larder::Test;
use MIME::Base64 qw(encode_base64);

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    larder_refresh inline;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /store/ { larder main near=off; proxy_pass http://@backend@; }
        location /both/ { larder main; proxy_pass http://@backend@; }
        location /asked/ { larder_encoding br gzip; proxy_pass http://@backend@; }
        location /key/ { larder_vary key; proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $coded = sub { my ($path, $codings, %more) = @_; $backend->set($path => {body => '0123456789', etag => '"a"', %more, headers => [(map { ['Content-Encoding', $_] } @$codings), @{$more{headers} || []}]}) };
my $ask = sub { my ($path, $accepts, @more) = @_; $t->get($path, headers => [defined $accepts ? ('Accept-Encoding' => $accepts) : (), @more]) };
my $seen = sub { my ($path, @accepts) = @_; join ' ', map { $ask->($path, $_)->larder } @accepts };

for my $place ('', '/store', '/both', '/asked', '/key', '/esi') {
    my $path = "$place/odd";
    $coded->($path, ['odd']);
    is $seen->($path, 'gzip, odd', 'odd ,GZIP;q=0.5'), 'MISS HIT', "$path: kept for those who take it";
    my $r = $ask->($path, 'gzip, odd');
    is $r->header('Content-Encoding') . ' ' . $r->body, 'odd 0123456789', '... as it came';
    is $r->header('Vary'), 'Accept-Encoding', '... and caches behind us are told';
    unlike $seen->($path, 'gzip', 'gzip, odd;q=0', '*', undef), qr/HIT|STALE/, '... and given to nobody else';
    is $seen->($path, 'gzip, odd'), 'HIT', '... which does not remove it for others';
    my $head = $t->head($path, headers => ['Accept-Encoding' => 'gzip, odd']);
    is $head->larder . ' ' . $head->header('Content-Encoding') . ' ' . $head->header('Content-Length'), 'HIT odd 10', '... HEAD';
    is $ask->($path, 'gzip, odd', Range => 'bytes=2-4')->body, '234', '... a range, of what came';
    is $ask->($path, 'gzip, odd', 'If-None-Match' => '"a"')->status, 304, '... a condition';
}
$coded->('/late', ['odd']);
unlike $seen->('/late', undef, 'gzip', undef), qr/HIT/, 'asked for by others first';
is $seen->('/late', 'odd', 'odd'), 'MISS HIT', '... kept all the same';

# Several codings, in one line or two; one of them can't be decoded.
$coded->('/two', ['gzip, odd']);
is $seen->('/two', 'odd, gzip', 'gzip, odd'), 'MISS HIT', 'two codings: for clients that accept both';
unlike $seen->('/two', 'odd', 'gzip'), qr/HIT/, '... not for a client that accepts only one';
$coded->('/lines', ['odd', 'gzip']);
is $seen->('/lines', 'odd, gzip', 'gzip, odd'), 'MISS HIT', '... on two lines';
is scalar(() = $ask->('/lines', 'odd, gzip')->header('Content-Encoding')), 2, '... both of which are sent';
$coded->('/no-transform', ['gzip'], headers => [['Cache-Control', 'max-age=60, no-transform']]);
is $seen->('/no-transform', 'br, gzip', 'gzip, br'), 'MISS HIT', 'one that may not be undone';

# What is not stored for another reason is requested only once.
$coded->('/private', ['odd'], headers => [['Cache-Control', 'private']]);
$ask->('/private', 'odd');
is $backend->count('/private'), 1, 'an answer that is not to be kept costs one render';

# A refresh asks for the coding.
is $t->post('/larder_purge?mode=soft&url=' . 'http://' . $t->address('nginx') . '/odd', '')->status, 200, 'purged';
ok $t->await(sub { $ask->('/odd', 'gzip, odd')->larder eq 'HIT' }), '... and made anew';
is +(map { $_->[1] } grep { lc $_->[0] eq 'accept-encoding' } @{(grep { $_->{path} eq '/odd' } $backend->log)[-1]{headers}})[0], 'gzip, odd', '... asked for with the codings';

# Pages of fragments.
$coded->('/esi/page', ['odd'], body => 'a<esi:include src="/esi/part"/>b');
my $first = $ask->('/esi/page', 'odd');
is $first->body, 'a<esi:include src="/esi/part"/>b', 'a page of fragments that can\'t be read is sent as it is';
like $first->header('Cache-Status'), qr/fwd=uri-miss.*detail=esi-coded|fwd=vary-miss.*detail=esi-coded/, '... which Cache-Status says';
like $t->{nginx}->error_log, qr/"\/esi\/page" is in the content coding "odd", which can't be undone/, '... and the log';
$backend->set('/esi/whole' => {body => 'a<esi:include src="/esi/odd-part" onerror="continue"/>c<esi:include src="/esi/odd-part" alt="/esi/part"/>d'}, '/esi/part' => {body => 'b'});
$coded->('/esi/odd-part', ['odd']);
is $ask->('/esi/whole')->body, 'acbd', "a fragment in such a coding fails alone: $_" for 1 .. 2;
is $seen->('/esi/odd-part', 'odd', 'odd'), 'MISS HIT', '... and by itself is kept for those who take it';
is $ask->('/esi/whole')->body, 'acbd', '... and still fails in a page';
done_testing;
