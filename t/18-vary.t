# Answers that vary on headers no directive names: kept as variants, up to a limit; or not stored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder_vary key max=3;
        location / { larder near; proxy_pass http://@backend@; }
        location /store { larder main near=off; proxy_pass http://@backend@; }
        location /refuse { larder near; larder_vary refuse; proxy_pass http://@backend@; }
        location /esi { larder near; larder_esi on; proxy_pass http://@backend@; }
    }
CONF
my @vary = (body => 'for {header:X-A}/{header:X-B}', headers => [['Vary', 'X-A']]);
$backend->set('/*' => {@vary});
# With near=off the page is still on its way into the store when the next visitor comes, who waits for it.
my $ask = sub { my ($path, @headers) = @_; my $r = $t->get($path, headers => [@headers, 'X-Stranger' => rand]); [$r->body, $r->larder eq 'COALESCED' ? 'HIT' : $r->larder] };

for my $path ('/first', '/store') {
    is_deeply $ask->($path, 'X-A' => 1), ['for 1/', 'MISS'], "$path: who sends the header first gets the page made for it";
    is_deeply $ask->($path, 'X-A' => 1), ['for 1/', 'HIT'], '... which is kept';
    is_deeply $ask->($path, 'X-A' => ' 1 '), ['for 1/', 'HIT'], '... whatever the spaces';
    is_deeply $ask->($path, 'X-A' => 2), ['for 2/', 'MISS'], '... for that value';
    is_deeply $ask->($path), ['for /', 'MISS'], 'who does not send it gets another';
    is_deeply [map { $ask->($path, @$_)->[1] } [], ['X-A' => 1], ['X-A' => 2]], [qw(HIT HIT HIT)], '... and all are kept side by side';
    is $backend->count($path), 4, '... at the cost of one render more';
}
is_deeply $ask->('/plain-first'), ['for /', 'MISS'], 'when somebody without it came first';
is_deeply $ask->('/plain-first', 'X-A' => 1), ['for 1/', 'MISS'], '... the second lookup';
is $backend->count('/plain-first'), 2, '... costs nothing more';

$backend->set('/two' => {@vary, headers => [['Vary', 'X-A, X-B']]});
is_deeply $ask->('/two', 'X-B' => 2), ['for /2', 'MISS'], 'with one of two headers';
is_deeply $ask->('/two', 'X-B' => 2, 'X-A' => 1), ['for 1/2', 'MISS'], '... or both';
is_deeply $ask->('/two', 'X-B' => 2), ['for /2', 'HIT'], '... are different pages';

like $t->get('/two', headers => ['X-A' => 7])->header('Cache-Status'), qr/fwd=vary-miss; .*stored/, '... and Cache-Status says so';

is_deeply $ask->('/lines', 'X-A' => 1, 'X-B' => 2, 'X-A' => 3), ['for 1, 3/', 'MISS'], 'a header in two lines is one list';
is_deeply $ask->('/lines', 'X-A' => '1, 3'), ['for 1, 3/', 'HIT'], '... the same in one';

my %how;
$how{$ask->('/flood', 'X-A' => $_)->[1]}++ for 1 .. 20;
is_deeply \%how, {MISS => 3, PASS => 17}, 'a flood of values is cut: the rest passes by';
is $ask->('/flood', 'X-A' => 2)->[1], 'HIT', '... and those that are kept stay';
like $t->get('/flood', headers => ['X-A' => 99])->header('Cache-Status'), qr/detail=vary-limit/, '... which says why';

$backend->set('/refuse' => {@vary}, '/star' => {@vary, headers => [['Vary', '*']]}, '/auth' => {@vary, headers => [['Vary', 'Authorization']]});
is_deeply [map { $ask->($_)->[1] } '/refuse', '/refuse', '/star', '/star', '/auth', '/auth'], ['MISS', 'HIT', ('PASS') x 4], 'refused: *, and what must not be in a key';
is_deeply $ask->('/refuse', 'X-A' => 1), ['for 1/', 'PASS'], '... and, where told so, who sends such a header';

$backend->set('/esi' => {body => 'page <esi:include src="/esi/part"/>'}, '/esi/part' => {@vary});
$ask->('/esi', 'X-A' => 1) for 1 .. 3;
is $ask->('/esi', 'X-A' => 2)->[0], 'page for 2/', 'a page is not kept whole when a fragment varies';
is $ask->('/esi')->[0], 'page for /', '... on what its own key lacks';

done_testing;
