# auth_request needs only the status of its subrequest: nothing is stored, so other requests must not wait for a fill.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_lock 10m;
    server {
        listen @nginx@;
        larder near;
        location / { auth_request /may; proxy_pass http://@backend@; }
        location = /may { internal; proxy_pass http://@backend@/may; }
    }
CONF
$backend->set('/slow' => {hold => 1});
my $slow = $t->load(['/slow'], clients => 1);
ok $t->await(sub { ($backend->stats->{paths}{'/slow'}{active} // 0) == 1 }), 'a page is being rendered';
is $t->get('/quick')->status, 200, '... and another visitor is authorised meanwhile';
$backend->release;
$slow->stop;
done_testing;
