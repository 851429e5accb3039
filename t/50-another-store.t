# larder_store and [[store]] have the same name but are different stores: pages are renewed nevertheless, and both logs report it.
use Larder::Test;
use Larder::Test::Daemon;

for my $case (
    ['another database',  'redis://@redis@/1',      'url = "redis://@redis@/2"'],
    ['another prefix',    'redis://@redis@ prefix=a:', qq(url = "redis://\@redis\@"\nprefix = "b:")],
    ['another server',    'redis://@redis@/1',      'url = "redis://@other@/1"'],
    ['another memcached', 'memcached://@memcached@', 'url = "memcached://@fleet@"'],
    ['the same store',    'redis://@redis@/1',      'url = "redis://@redis@/1"', 1],
    ['the same memcached', 'memcached://@memcached@', 'url = "memcached://@memcached@"', 1],
) {
    my ($what, $larder_store, $store, $same) = @$case;
    my $t       = Larder::Test->new;
    my $backend = $t->backend;
    $t->redis;
    $t->redis(name => 'other');
    $t->memcached;
    $t->memcached(name => 'fleet');
    $backend->set('/*' => {headers => [['Cache-Control', 'max-age=1, stale-while-revalidate=600']], body => '{n}'});
    my $daemon = Larder::Test::Daemon->start($t, store => "$store\ntimeout = \"5s\"");
    my $nginx = $t->nginx(<<"CONF");
    larder_zone 8m; larder_store main $larder_store timeout=5s; larder_daemon redis://\@redis\@ timeout=5s;
    server { listen \@nginx\@; location / { larder main; proxy_set_header Host \$http_host; proxy_pass http://\@backend\@; } }
CONF
    $t->get('/page');
    ok $t->await(sub { $t->get('/page')->body >= 2 }, 'renewal', 30), "$what: the page is renewed";
    if ($same) {
        is $daemon->status->{jobs}{refused}, 0, '... by larderd';
        $t->finish;
        next;
    }
    ok $t->await(sub { $daemon->log =~ /larder_store main is not \[\[store\]\] main/ }, 'larderd says so'), '... larderd says why it had no part in it';
    ok $t->await(sub { $t->get('/page'); $nginx->error_log =~ /larderd refused the job to renew \S+ of store "main"/ }, 'nginx says so', 30), '... and so does nginx';
    $t->finish;
}
done_testing;
