# The operator's rules: what bypasses the cache, what is not stored, and how long the rest is kept.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_bypass $arg_nocache $http_x_fresh;
        larder_no_store $http_x_draft;
        location /        { proxy_pass http://@backend@; }
        location /off/    { larder off; proxy_pass http://@backend@; }
        location /valid/  { larder_valid 1h override; proxy_pass http://@backend@; }
        location /small/  { larder_max_size 1k; proxy_pass http://@backend@; }
        location /header/ { larder_header X-Flavour; proxy_pass http://@backend@; }
        location /seen/   { proxy_pass http://@backend@; add_header X-Seen "$larder_status $larder_age $larder_key"; }
    }
CONF

$t->get('/page');
is $t->get('/page?nocache=1')->larder, 'BYPASS', 'bypass by a variable';
is $t->get('/page', headers => ['X-Fresh' => 1, Cookie => 'session=s'])->larder, 'BYPASS', '... or another';
is $t->get('/page', headers => ['X-Fresh' => 0])->larder, 'HIT', '... unless it is 0';
ok +(grep { ($_->{cookies}{session} // '') eq 's' } $backend->log), 'a request that bypasses the cache is sent in full';
is $t->get('/draft', headers => ['X-Draft' => 1])->larder, 'MISS', 'not kept by a variable';
is_deeply [map { $t->get('/draft')->larder } 1 .. 2], ['MISS', 'HIT'], '... which does not affect other requests for the page';

is scalar($t->get('/off/page')->header('Cache-Status')), undef, 'off is off';
is $backend->count('/off/page'), 1, '... and passes on';
$backend->set('/valid/page' => {headers => [['Cache-Control', 'max-age=0']]});
$t->get('/valid/page');
is $t->get('/valid/page')->larder, 'HIT', 'override: the operator\'s time over the site\'s';
$backend->set('/small/1000' => {size => 1000}, '/small/1100' => {size => 1100});
is_deeply [map { $t->get('/small/1000')->larder } 1 .. 2], ['MISS', 'HIT'], 'what fits is kept';
is length $t->get('/small/1100')->body, 1100, 'what is larger passes whole' for 1 .. 2;
is $backend->count('/small/1100'), 2, '... and is not kept';

$backend->set('/header/page' => {body => '{header:X-Flavour}', headers => [['Vary', 'X-Flavour']]});
is $t->get('/header/page', headers => ['X-Flavour' => $_])->body, $_, "a header that the key holds: $_" for qw(sweet sour sweet);
is $backend->count('/header/page'), 2, '... each rendered once';

$t->get('/seen/page');
like $t->get('/seen/page')->header('X-Seen'), qr/^HIT \d+ [\w-]{22}$/, '$larder_status, $larder_age and $larder_key';

done_testing;
