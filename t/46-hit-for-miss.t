# Requests for a page that proved unstorable don't wait for each other, until it proves storable again.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; } }
CONF
my %private = (headers => [['Cache-Control', 'private']]);
$backend->set('/page' => {%private});
$t->get('/page');
$backend->reset;
$backend->set('/page' => {%private, hold => 1});
my $load = $t->load(['/page'], clients => 20);
ok $t->await(sub { $backend->stats->{active} == 20 }), '20 visitors are with the backend at the same time';
$backend->release;
my @answers = $load->stop;
is scalar(grep { $_->{status} != 200 } @answers), 0, '... and all are served';
is scalar(grep { $_->{larder} eq 'HIT' } @answers), 0, '... nobody from cache';

done_testing;
