# nginx leaves regenerations to larderd, through Redis or its socket; without larderd nginx refreshes itself. Both under load.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $http = <<'CONF';
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s;
    server {
        listen @nginx@;
        server_name example.com;
        location / { larder main; larder_esi auto; larder_cookie lang value; proxy_pass http://@backend@; proxy_set_header Host $host; }
        location = /larder_status { larder_status; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $nginx   = $t->nginx($http, workers => 2);
(my $second = $http) =~ s/\@nginx\@/\@second\@/;
my $other   = $t->nginx($second, name => 'second');
my $d       = Larder::Test::Daemon->start($t);
my @as      = (headers => [Host => 'example.com', Cookie => 'lang=de; session=s3cret']);
my $expired = [['Cache-Control', 'max-age=0, stale-while-revalidate=600']];
my $fresh   = [['Cache-Control', 'max-age=60'], ['Surrogate-Key', 'page']];
my $by_larderd = sub { my $calls = 0; $calls += $_->counters->{render_calls} for $nginx, $other; return $calls };

$backend->set('/*' => {headers => $expired, body => 'render {n} for {cookie:lang}{cookie:session}'});
$t->get('/page', @as);
ok $t->await(sub { $redis->cli('KEYS', 'larder:e:*') }), 'a page is in the store, expired';
$backend->set('/page' => {headers => $fresh, hold => 1, body => 'render {n} for {cookie:lang}{cookie:session}'});
my @answers = map { $_->many(100, {path => '/page', @as}) } $nginx, $other;
is scalar(grep { $_->status == 200 && $_->larder =~ /STALE|MISS/ && $_->body eq 'render 1 for de' } @answers), 200,
    '200 visitors of two nginx servers are answered while the backend is held' or diag explain [map { $_->larder . $_->body } @answers[0, 199]];
ok $t->await(sub { $by_larderd->() == 1 }), 'larderd has a new one made';
is $backend->stats->{paths}{'/page'}{active}, 1, '... once';
$backend->release;
for my $server ($nginx, $other) {
    ok $t->await(sub { $server->get('/page', @as)->larder eq 'HIT' }), 'the page becomes fresh at ' . $server->name;
    is $server->get('/page', @as)->body, 'render 2 for de', '... as larderd rendered it, without what identifies the visitor';
}
is $backend->count('/page'), 2, 'two renders in all';

$nginx->purge('tag=page', @as);
for my $server ($nginx, $other) {
    ok $t->await(sub { $server->get('/page', @as)->body eq 'render 3 for de' }), 'a purge at one has the page made anew for ' . $server->name;
}
is $backend->count('/page'), 3, '... once';

# larderd comes and goes under load.
$t->get("/load-$_", @as) for 1 .. 10;
my $load = $t->load([map { "/load-$_" } 1 .. 10], @as);
my $go_on = sub { my $from = $load->count; $t->await(sub { $load->count > $from + 200 }, 'the load goes on') };
for my $round (1 .. 2) {
    $d->server->kill;
    ok $go_on->(), "round $round: load goes on without larderd";
    my ($renders, $theirs) = ($backend->count, $by_larderd->());
    ok $t->await(sub { $backend->count > $renders + 10 }, "round $round: nginx refreshes by itself", 20), "round $round: nginx refreshes by itself";
    $theirs = $by_larderd->();
    $d->server->restart;
    ok $t->await(sub { $by_larderd->() > $theirs }, 'larderd works', 20), "round $round: larderd works again when it is back";
}
my @loaded = $load->stop;
is scalar(grep { $_->{status} != 200 || !$_->{complete} } @loaded), 0, 'every visitor was served';

# Redis, with store and queue, dies while larderd runs.
$load = $t->load([map { "/load-$_" } 1 .. 10], @as);
$redis->kill;
ok $go_on->(), 'load goes on without Redis';
my $theirs = $by_larderd->();
$redis->restart;
ok $t->await(sub { $by_larderd->() > $theirs }, 'larderd works', 20), 'and is used again with larderd when it is back';
is scalar(grep { $_->{status} != 200 || !$_->{complete} } $load->stop), 0, 'every visitor was served';

done_testing;
