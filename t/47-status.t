# The status endpoint counts events, in Prometheus's text format, and its counts survive a reload.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        location / { larder near; larder_bypass $arg_nocache; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
    }
CONF
$backend->set('/stale' => {headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=60']]},
    '/private' => {headers => [['Cache-Control', 'private']]});
my $none = $t->counters;
$t->get('/page') for 1 .. 5;
$t->get('/page?nocache=1') for 1 .. 2;
$t->get('/private') for 1 .. 3;
$t->get('/stale') for 1 .. 2;
# A worker counts a request when it has finished it; its client may have the answer before.
my ($some, %difference);
$t->await(sub {
    $some       = $t->counters;
    %difference = map { $_ => $some->{$_} - $none->{$_} } qw(hit stale miss bypass pass stored);
    $difference{hit} + $difference{stale} + $difference{miss} + $difference{bypass} + $difference{pass} >= 12;
}, 'twelve requests');
$difference{stored} = 2 if $difference{stored} == 3;    # the refresh may have ended already
is_deeply \%difference, {hit => 4, stale => 1, miss => 3, bypass => 2, pass => 2, stored => 2}, 'events are counted' or diag explain \%difference;
is $some->{larder_near_entries}, 2, 'entries are';
cmp_ok $some->{larder_near_free_bytes}, '<', $some->{larder_near_bytes}, 'and memory';

my $text = $t->get('/larder_status')->body;
like $text, qr/^# TYPE larder_events_total counter$/m, 'in Prometheus\'s format';
ok !(grep { !/^(?:#|[a-z_]+(?:\{[^}]*\})? [\d.e+-]+$)/ } split /\n/, $text), '... every line';
is +($text =~ /larder_request_duration_seconds_count\{class="hit"\} (\d+)/)[0], 4, 'and times';
ok $nginx->reload, 'a reload';
is $t->counters->{hit}, $some->{hit}, '... keeps the counters';
is $t->head('/larder_status')->body, '', 'HEAD';
is $t->post('/larder_status', '')->status, 405, 'POST is refused';
is $t->counters->{larder_near_holds}, 0, 'no hold is left when nothing is being sent';

done_testing;
