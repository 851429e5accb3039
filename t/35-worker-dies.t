# A worker is killed: the others go on, its fills and refreshes are started again, and the near cache stays intact.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        location / { larder near; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
    }
CONF
$t->expect_log(qr/exited on signal 9/, qr/shared memory zone "larder" was locked by/);
my @paths = map { "/page-$_" } 1 .. 20;
my %expired = (headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]);
$backend->set('/stale' => {%expired});
$t->get($_) for @paths, '/stale';

my $load = $t->load(\@paths);
for my $round (1 .. 5) {
    kill KILL => ($nginx->workers)[$round % 2];
    ok $t->await(sub { $nginx->workers == 2 }), "round $round: the worker is replaced";
    my $from = $load->count;
    ok $t->await(sub { $load->count > $from + 100 }), "round $round: load goes on";
}
my @answers = $load->stop;
is scalar(grep { $_->{status} >= 500 } @answers), 0, 'no visitor got an error';
# A browser repeats a request whose connection broke; 8 clients had at most one each per round.
cmp_ok scalar(grep { !$_->{complete} } @answers), '<=', 40, '... except those whose connection broke';
# A worker that dies in the zone's critical section causes the near cache to be emptied.
my $emptied = $t->counters->{recoveries};
is scalar(grep { $_->{complete} && $_->{larder} ne 'HIT' && !$emptied } @answers), 0, 'stored pages stayed in the cache';

# Killed while it fills a page that others wait for, and while it refreshes one.
for my $path ('/cold', '/stale') {
    $backend->reset;
    $backend->set($path => {%expired, hold => 1});
    my @visitors = map { Larder::Test::listens($nginx->address) } 1 .. 4;
    for my $visitor (@visitors) {
        print $visitor "GET $path HTTP/1.1\r\nHost: " . $nginx->address . "\r\n\r\n";
        $visitor->flush;
    }
    ok $t->await(sub { $backend->count($path) }), "$path: a worker asks the backend";
    my @killed = $nginx->workers;
    kill KILL => @killed;
    ok $t->await(sub { !grep { my $pid = $_; grep { $_ == $pid } @killed } $nginx->workers }), "$path: all workers are killed";
    $backend->set($path => {headers => [['Cache-Control', 'max-age=60']]});
    $backend->release;
    ok $t->await(sub { $t->get($path)->status == 200 }), "$path: the next visitor is served";
    ok $t->await(sub { $t->get($path)->larder eq 'HIT' }, "$path: fresh", 30), "$path: and the page becomes fresh: no lock outlived its holder";
}

done_testing;
