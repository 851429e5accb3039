# A write takes effect also if its nginx can't reach the store: there at once, whatever others store meanwhile, and everywhere
# once the store is back. A hard purge survives its loss by memcached.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600, stale-while-revalidate=600']], body => '{n}'});

for my $kind (qw(redis memcached)) {
    my $store = $t->$kind;
    my $way = $t->_start('Larder::Test::Server', "${kind}_way", stop_signal => 'INT',
        command => [$t->root . '/tests/fakes/store_proxy', $t->port("${kind}_way"), $t->port($kind), $t->dir . "/$kind.rules"]);
    my ($one, $two) = map { $t->nginx(<<"CONF", name => "$kind$_->[0]") } ['one', "${kind}_way"], ['two', $kind];
        larder_zone 8m;
        larder_store main $kind://\@$_->[1]\@ timeout=5s;
        server {
            listen \@$kind$_->[0]\@; server_name example.com;
            location /         { larder main near=off; proxy_pass http://\@backend\@; }
            location /near/    { larder main;          proxy_pass http://\@backend\@; }
            location = /larder_purge { larder_purge; }
        }
CONF
    my @as   = (headers => [Host => 'example.com']);
    my $page = sub { my ($nginx, $path) = @_; return $nginx->get("/$path$kind", @as) };

    $page->($two, 'known');
    ok $t->await(sub { $page->($one, 'known')->larder eq 'HIT' }), "$kind: two nginx share a store";
    $way->kill;
    ok $t->await(sub { $page->($one, 'known')->larder eq 'MISS' }), '... the first nginx loses the store';

    # The other nginx stores an entry that knows a purge which the first one has not heard of.
    $two->purge('tag=something', @as);
    for my $path ('', 'near/') {
        is $page->($two, $path)->body, 1, "/$path: the other makes a page";
        is $one->post("/$path$kind", 'x', @as)->status, 200, '... a write goes through the first';
    }
    $way->restart;
    ok $t->await(sub { $page->($one, 'known')->larder eq 'HIT' }), 'the first nginx reaches the store again';
    for my $path ('', 'near/') {
        cmp_ok $page->($one, $path)->body, '>', 2, "/$path: it does not serve what was made before the write";
        ok $t->await(sub { $page->($two, $path)->body > 2 }), '... nor does the other';
    }
    next if $kind eq 'redis';    # larderd does this for Redis: t/69-purges-survive.t

    # memcached dies with a purge that the first nginx has not read: a hard purge does not become a soft one.
    $t->await(sub { $page->($one, 'near/')->larder eq 'HIT' });
    $way->kill;
    is $two->purge("url=/near/$kind&mode=hard", @as)->status, 200, 'a hard purge, of which one nginx does not hear';
    $store->kill;
    $backend->set('/near/*' => {status => 500});
    $store->restart;
    $way->restart;
    ok $t->await(sub { $page->($one, 'near/')->status == 500 }), '... memcached comes back empty: the page is not served any more';
}
done_testing;
