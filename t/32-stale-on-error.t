# A stored page is never replaced by an error: if the backend answers 5xx or nonsense, refuses, or is silent, the stale page is
# served.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    proxy_read_timeout 1s;
    server {
        listen @nginx@;
        location / { larder near; proxy_pass http://@backend@; }
        location /never/ { larder near; larder_stale never; proxy_pass http://@backend@; }
        location /short/ { larder near; larder_valid 1s; larder_stale while=0s error=10m; proxy_pass http://@backend@; }
    }
CONF
my %on_error = (headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=0, stale-if-error=600']]);

my %failures = (
    500 => {status => 500}, 503 => {status => 503}, 502 => {status => 502}, 504 => {status => 504},
    map { $_ => {fault => $_} } qw(close die garbage hang),
);
for my $failure (sort keys %failures) {
    my $path = "/$failure";
    $backend->set($path => {%on_error});
    $t->get($path);
    $backend->set($path => $failures{$failure});
    my $answer = $t->get($path);
    is $answer->status, 200, "$failure: the visitor gets the page";
    is $answer->body, "$path render 1\n", "$failure: ... as it was";
    is $answer->larder, 'ERROR-STALE', "$failure: ... and \$larder_status says why";
    $backend->set($path => {headers => [['Cache-Control', 'max-age=60']]});
    ok $t->await(sub { $t->get($path)->body =~ /render (?!1\n)\d/ }), "$failure: once the backend is well the page is new";
    is $t->get($path)->larder, 'HIT', "$failure: ... and kept";
}

$backend->set('/gone' => {%on_error});
$t->get('/gone');
$backend->set('/gone' => {status => 404});
is $t->get('/gone')->status, 404, 'a 404 is an answer, not a failure';

$backend->set('/never/page' => {headers => [['Cache-Control', 'max-age=0, stale-if-error=600']]});
$t->get('/never/page');
$backend->mode('fail');
is $t->get('/never/page')->status, 503, 'a class that is never stale shows the error';
$backend->mode('ok');

# The same with the backend stopped.
$backend->set('/page' => {%on_error}, '/while' => {headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]});
$t->get($_) for qw(/page /while);
my $load = $t->load(['/page', '/while']);
$backend->kill;
my $from = $load->count;
ok $t->await(sub { $load->count > $from + 300 }), 'load goes on without a backend';
$backend->restart;
ok $t->await(sub { $backend->count('/while') }), 'the backend is used again when it is back';
my @answers = $load->stop;
is scalar(grep { $_->{status} != 200 || !$_->{complete} } @answers), 0, 'nobody saw an error while it was away';

done_testing;
