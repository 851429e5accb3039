# A stored page survives a site that rate-limits or refuses larderd, and a job that no larderd can do.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
my $d = Larder::Test::Daemon->start($t);
$t->nginx(<<'CONF');
    larder_zone 8m; larder_store main redis://@redis@ timeout=5s; larder_daemon redis://@redis@;
    server { listen @nginx@; larder main;
        location / { proxy_set_header Host $http_host; proxy_pass http://@backend@; }
        location = /purge { larder_purge; } }
CONF
my $page = {headers => [['Cache-Control', 'max-age=1, stale-while-revalidate=600']], body => '{n}'};
$backend->set('/*' => $page);

my $failed = 0;
for my $status (429, 403, 503) {
    my $path = "/$status";
    $t->get($path);
    $backend->set($path => {status => $status, headers => [['Cache-Control', 'max-age=5'], ['Retry-After', '60']], body => 'sorry'});
    $failed++;
    ok $t->await(sub { $t->get($path); $d->status->{jobs}{failed} == $failed }, "a render that gets $status"), "larderd is answered $status";
    is $t->get($path)->body, '1', '... and visitors go on to get the page that was good';
    is $backend->count($path), 2, '... while the site is left alone';
}

my ($code, $said) = $d->ctl('purge', '--url', 'http://example.com/blog/*');
is $code, 1, 'a purge by wildcard is refused';
like $said, qr/there are no wildcards/, '... and that is said';
is $t->request(method => 'POST', path => '/purge?url=/blog/*')->status, 400, '... by nginx, too';
done_testing;
