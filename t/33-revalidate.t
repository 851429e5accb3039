# A stale entry is revalidated instead of fetched again: a 304 makes it fresh. Clients, nginx's refreshes and larderd all do
# that.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s;
    server {
        listen @nginx@;
        larder near;
        larder_stale while=1h error=1h;
        location / { proxy_pass http://@backend@; }
        location /off { larder_revalidate off; proxy_pass http://@backend@; }
        location /store { larder main; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $serve = sub {
    my ($path, $control, %more) = @_;
    $backend->set($path => {body => 'page of render {n}', etag => '"v1"', headers => [['Cache-Control', $control], ['X-Render', '{n}']], %more});
};
my $asked = sub { my $all = $backend->stats->{log}; my ($last) = grep { $_->{path} eq $_[0] } reverse @$all; my %h = map { lc $_->[0] => $_->[1] } @{$last->{headers}}; $h{'if-none-match'} // '' };

$serve->('/checked', 'no-cache');
is $t->get('/checked')->larder, 'MISS', 'a page to be validated each time is kept';
my $again = $t->get('/checked');
is_deeply [$again->larder, $again->status, $again->body, $again->header('X-Render')], ['REVALIDATED', 200, 'page of render 1', '2'],
    '... and served when the backend says that it is still good, with the new headers';
like $again->header('Cache-Status'), qr/^larder; fwd=stale; fwd-status=304; stored$/, '... and Cache-Status says so';
is $asked->('/checked'), '"v1"', '... having been asked with our validator';
is $t->get('/checked', headers => ['If-None-Match' => '"v1"'])->status, 304, 'a client that has the page gets a 304';
is $t->get('/checked', headers => ['If-None-Match' => '"client"'])->status, 200, '... and one that has another gets the page';
is $asked->('/checked'), '"v1"', "... but it is never the client's validator that is asked with";
$serve->('/checked', 'no-cache', etag => '"v2"');
is $t->get('/checked')->body, 'page of render 5', 'a page that has changed comes whole';
$backend->set('/checked' => {status => 503});
is $t->get('/checked')->status, 503, '... and when the backend fails it is not served: it must be validated';

$serve->('/off', 'no-cache');
is_deeply [map { $t->get('/off')->larder } 1 .. 2], ['MISS', 'PASS'], 'larder_revalidate off: such a page is not kept';

$serve->('/stale', 'max-age=0, stale-while-revalidate=600');
$t->get('/stale');
$serve->('/stale', 'max-age=60');
is $t->get('/stale')->larder, 'STALE', 'a stale page is served';
ok $t->await(sub { $t->get('/stale')->larder eq 'HIT' }), '... and fresh again';
is_deeply [$t->get('/stale')->body, $asked->('/stale')], ['page of render 1', '"v1"'], '... by a 304 to the refresh';

# A 304 about another answer: the complete page is requested.
$serve->('/lied', 'no-cache');
$t->get('/lied');
$backend->set('/lied' => {status => 304, headers => [['ETag', '"other"']]});
my $before = $backend->count('/lied');
$t->get('/lied');
is $backend->count('/lied') - $before, 2, 'a 304 about another answer: asked again, without a condition';
is $asked->('/lied'), '', '... indeed';

$serve->('/store', 'max-age=0, stale-while-revalidate=600');
$t->get('/store');
$t->larderd(<<'TOML', ready => sub { $redis->cli('EXISTS', 'larder:{queue}alive') eq '1' });
    [api]
    token = "0123456789abcdef"
    listen = "unix:@dir@/api.sock"
    [queue]
    url = "redis://@redis@"
    [[store]]
    name = "main"
    url = "redis://@redis@"
    [[backend]]
    name = "site"
    hosts = ["*"]
    url = "http://@backend@"
TOML
$serve->('/store', 'max-age=60');
is $t->get('/store')->larder, 'STALE', 'with larderd: a stale page is served';
ok $t->await(sub { $t->get('/store')->larder eq 'HIT' }), '... and made fresh by larderd';
is_deeply [$t->get('/store')->body, $asked->('/store')], ['page of render 1', '"v1"'], '... by a 304';

my $zipped = sub { $backend->set('/store/zipped' => {gzip => 'always', body => 'text {n}', headers => [['Cache-Control', $_[0]]]}) };
$zipped->('max-age=0, stale-while-revalidate=600');
$t->get('/store/zipped');
$zipped->('max-age=60');
is $t->get('/store/zipped')->larder, 'STALE', 'a page that comes compressed unasked';
ok $t->await(sub { $t->get('/store/zipped')->larder eq 'HIT' }), '... is made anew by larderd';
is $t->get('/store/zipped')->body, 'text 2', '... and decoded';

done_testing;
