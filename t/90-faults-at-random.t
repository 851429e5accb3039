# Random visits, aborted requests, failures of the backend and the store, and reloads of nginx, all at the same time. Nobody sees another
# visitor's page, all requests end, and no serious error is logged.
use Larder::Test;
use Time::HiRes qw(sleep);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->file('www/group', "file\n");
my $nginx = $t->nginx(<<'CONF', workers => 2);
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 4m;
    larder_store main redis://@redis@ timeout=300ms;
    larder_valid 1s;
    larder_stale while=2s error=1h;
    larder_refresh inline;
    server {
        listen @nginx@;
        larder main;
        larder_esi on;
        larder_request_control on;
        larder_vary key max=50;
        larder_group /group cookie=sid timeout=200ms valid=1s;
        proxy_read_timeout 1s;
        error_page 502 504 = @sorry;
        location /           { proxy_pass http://@backend@; }
        location /store-only { larder main near=off; proxy_pass http://@backend@; }
        location /private    { larder_cookie sid private; proxy_pass http://@backend@; }
        location /by-return  { larder_group /return-group cookie=sid; proxy_pass http://@backend@; }
        location /by-file    { larder_group /file-group cookie=sid; proxy_pass http://@backend@; }
        location /by-accel   { larder_group /accel-group cookie=sid; proxy_pass http://@backend@; }
        location /by-rewrite { larder_group /rewrite-group cookie=sid; proxy_pass http://@backend@; }
        location /by-itself  { larder_group /by-itself/group cookie=sid; proxy_pass http://@backend@; }
        location /not-kept   { larder_group /off-group cookie=sid; proxy_pass http://@backend@; }
        location = /return-group  { return 200 "return"; }
        location = /file-group    { internal; alias @dir@/www/group; }
        location = /rewrite-group { rewrite ^ /group last; }
        location = /off-group     { larder off; proxy_pass http://@backend@/group; }
        location @sorry { return 200 "sorry"; }
    }
CONF
my $seed = $ENV{LARDER_TEST_SEED} || time;
note "LARDER_TEST_SEED=$seed";
srand $seed;
sub pick { $_[rand @_] }
sub chance { rand() < $_[0] }

my @paths = qw(/page /store-only /private /by-return /by-file /by-accel /by-rewrite /by-itself /not-kept);
my $page  = 'g={header:larder-group} s={cookie:sid} <esi:include src="/part?{arg:n}" onerror="continue"/><esi:include src="/store-only/part" maxwait="100"/>';
$backend->set(
    '/*'           => {body => $page, delay => 0.01, headers => [['Vary', 'X-A'], ['Surrogate-Key', 'all']]},
    '/part'        => {body => 'part of {header:larder-group}'},
    '/accel-group' => {headers => [['X-Accel-Redirect', '/file-group']]},
);
my @faults = (map({ {fault => $_, body => 'broken'} } qw(close die truncate bad-chunk garbage)), {status => 500}, {delay => 0.5, body => 'late'},
    {status => 302, headers => [['Location', '/x']]}, {body => 'of {cookie:sid}', headers => [['Set-Cookie', 'sid=1']]});

sub visitor {
    my $sid = int rand 20;
    return {
        path    => pick(@paths) . '?n=' . int(rand 9), method => chance(0.1) ? 'POST' : chance(0.1) ? 'HEAD' : 'GET', sid => $sid,
        headers => [Cookie => "sid=$sid; x=1", 'X-A' => int(rand 3), chance(0.2) ? ('Cache-Control' => pick(qw(no-cache max-age=0 only-if-cached no-store max-stale))) : ()],
    };
}
sub leaver {
    my $socket = Larder::Test::listens($t->address('nginx')) or return;
    print $socket 'GET ' . pick(@paths) . '?n=' . int(rand 9) . " HTTP/1.1\r\nHost: a\r\nCookie: sid=" . int(rand 20) . "\r\n\r\n";
    $socket->flush;
    return $socket;
}

my ($answers, @leaks) = (0);
for my $round (1 .. 80) {
    $backend->set('/group' => chance(0.5) ? pick(@faults) : {body => 'of {cookie:sid}', delay => 0.02});
    $backend->set('/part' => chance(0.3) ? pick(@faults) : {body => 'part of {header:larder-group}'});
    $nginx->reload if $round % 16 == 0;
    if ($round % 20 == 0) {
        $redis->kill;
        sleep rand 0.2;
        $redis->restart;
    }
    my @leavers = map { leaver() } 1 .. 6;
    sleep rand 0.05;
    @leavers = ();
    for my $answer ($nginx->many(12, \&visitor)) {
        $answers++;
        my $sid = $answer->{request}{sid};
        my ($session) = $answer->body =~ /s=(\d+)/;
        my @groups = $answer->body =~ /of (\d+)/g;
        push @leaks, "$answer->{request}{path} for $sid: " . $answer->body if grep { $_ ne $sid } @groups, $session // ();
    }
}
is_deeply \@leaks, [], "nobody saw another's page" or diag "LARDER_TEST_SEED=$seed";
is $answers, 80 * 12, '... and everybody got an answer';

done_testing;
