# What was requested once is answered from cache, byte for byte, with its headers.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    server {
        listen @nginx@;
        location / { larder near; larder_valid 1m; proxy_pass http://@backend@; }
    }
CONF

$backend->set(
    '/rich' => {headers => [['X-Twice', 'one'], ['X-Twice', 'two'], ['Link', '</a>; rel=preload'],
            ['Last-Modified', 'Sat, 01 Jan 2022 00:00:00 GMT']], etag => '"v1"', type => 'text/plain; charset=latin-1'},
    '/chunked' => {size => 100_000, chunked => 1},
    '/closing' => {size => 100_000, until_close => 1},
    '/empty'   => {body => ''},
    '/binary'  => {body => join('', map { chr } 0 .. 127), type => 'application/octet-stream'},
    '/moved'   => {status => 301, headers => [['Location', 'http://elsewhere/']]},
);

for my $path (qw(/plain /rich /chunked /closing /empty /binary /moved)) {
    my ($first, $second) = map { $t->get($path) } 1 .. 2;
    is $first->larder, 'MISS', "$path: first a miss";
    # Of a body without a length, it is not known when the header is sent whether it will be stored.
    my $stored = $path =~ /chunked|closing/ ? qr/$/ : qr/; stored$/;
    like $first->header('Cache-Status'), qr/^larder; fwd=(?:uri-)?miss; fwd-status=\d+$stored/, "$path: ... that is stored";
    is $second->larder, 'HIT', "$path: then a hit";
    like $second->header('Cache-Status'), qr/^larder; hit; ttl=\d+/, "$path: ... with its remaining lifetime";
    is $second->body, $first->body, "$path: the same body";
    is $second->status, $first->status, "$path: the same status";
    is_deeply [_fields($second)], [_fields($first)], "$path: the same fields";
    like $second->header('Age'), qr/^\d+$/, "$path: its Age";
    is $backend->count($path), 1, "$path: the backend was asked once";
}

is $t->get('/rich?a=1')->larder, 'MISS', 'another query is another page';
is $t->get('/rich', headers => [Host => 'other.example'])->larder, 'MISS', 'another host is another page';
is $t->get('/rich', headers => [Host => 'OTHER.example'])->larder, 'HIT', 'hosts are compared without case';
is $t->get('/RICH')->larder, 'MISS', '... but paths are not';

$t->post('/plain', 'x=1') for 1 .. 2;
is $backend->count('/plain'), 3, 'POST always reaches the backend';
is $t->get('/rich?a=1')->larder, 'HIT', '... and does not disturb what other pages are kept';

done_testing;

# Names and values of all fields, sorted, except those that differ in each answer.
sub _fields {
    my ($answer) = @_;
    return sort map { join ': ', lc $_->[0], $_->[1] }
        grep { $_->[0] !~ /^(?:date|age|cache-status|x-larder|connection|transfer-encoding|content-length|keep-alive|accept-ranges)$/i }
        @{$answer->{headers}};
}
