# 200 visitors request a page that is not stored: the backend renders it once and all get it.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    server {
        listen @nginx@;
        location /near/  { larder near; proxy_pass http://@backend@; }
        location /store/ { larder main; proxy_pass http://@backend@; }
        location /short/ { larder near; larder_lock 200ms; proxy_pass http://@backend@; }
        location /second/ { larder near; larder_lock 1s; proxy_pass http://@backend@; }
    }
CONF

for my $place (qw(near store)) {
    my $path = "/$place/page";
    $backend->set($path => {delay => 0.3, size => 20_000});
    my @answers = $t->many(200, $path);
    is scalar(grep { $_->status == 200 && length $_->body == 20_000 } @answers), 200, "$place: all got the page";
    is $backend->count($path), 1, "$place: it was rendered once";
    my %how;
    $how{$_->larder}++ for @answers;
    is $how{MISS}, 1, "$place: one fetched it";
    is(($how{COALESCED} || 0) + ($how{HIT} || 0), 199, "$place: the others shared it") or diag explain \%how;
}

# If it turns out to be personal, nobody gets another visitor's page.
$backend->set('/near/mine' => {body => 'page of {cookie:who}', delay => 0.1, headers => [['Cache-Control', 'private']]});
my @mine = $t->many(30, sub { {path => '/near/mine', headers => [Cookie => "who=visitor-$_[0]"]} });
is scalar(grep { my ($who) = $_->{request}{headers}[1] =~ /who=(.*)/; $_->body eq "page of $who" } @mine), 30,
    'a page that proves personal goes to nobody else';

# If the visitor who fills gets no answer, the waiting ones still get theirs.
for my $fault (qw(close truncate die)) {
    my $path = "/near/$fault";
    $backend->set($path => {fault => $fault, delay => 0.2});
    my $load = $t->load([$path], clients => 20);
    ok $t->await(sub { $backend->count($path) >= 1 }), "$fault: someone fetches";
    $backend->set($path => {});
    ok $t->await(sub { $t->get($path)->status == 200 }), "$fault: once the backend is well, so is the page";
    my $from = $load->count;
    ok $t->await(sub { $load->count > $from + 40 }), "$fault: nobody waits for ever";
    $load->stop;
}

# Waiting ends after larder_lock.
$backend->set('/short/page' => {hold => 1});
my $waiting = $t->load(['/short/page'], clients => 5);
ok $t->await(sub { ($backend->stats->{paths}{'/short/page'}{active} // 0) == 5 }), 'after larder_lock each visitor\'s request goes to the backend';
$backend->release;
$waiting->stop;

# Visitors who waited for a page that turned out to be personal go on at once, and Cache-Status does not say lock-timeout.
my $ask = sub { my ($path) = @_; my $s = Larder::Test::listens($t->address('nginx')); print $s "GET $path HTTP/1.1\r\nHost: " . $t->address('nginx') . "\r\nConnection: close\r\n\r\n"; $s->flush; $s };
$backend->set('/second/personal' => {hold => 1, headers => [['Cache-Control', 'private']]});
my @askers = $ask->('/second/personal');
$t->await(sub { $backend->count('/second/personal') == 1 });
push @askers, $ask->('/second/personal');
$t->get('/near/page');  # by now the second one waits
$backend->release;
$backend->set('/second/personal' => {hold => 1, headers => [['Cache-Control', 'private']]}, '/second/slow' => {hold => 1});
$t->await(sub { $backend->count('/second/personal') == 2 });
my @slow = map { $ask->('/second/slow') } 1 .. 2;
ok $t->await(sub { $backend->count('/second/slow') == 2 }), 'the time for waiting is over';
$backend->release;
unlike join('', <$_>), qr/lock-timeout/, '... and no answer says lock-timeout wrongly' for @askers;
like join('', map { readline $_ } @slow), qr/200 OK.*200 OK/s, '... and those who ran into it get their page';

# The visitor who fills leaves.
$backend->set('/near/left' => {hold => 1});
my $leaver = Larder::Test::listens($t->address('nginx'));
print $leaver "GET /near/left HTTP/1.1\r\nHost: " . $t->address('nginx') . "\r\n\r\n";
$leaver->flush;
ok $t->await(sub { $backend->count('/near/left') == 1 }), 'one fetches';
my $load = $t->load(['/near/left'], clients => 10);
close $leaver;
$backend->release;
ok $t->await(sub { $load->count >= 10 }), '... and leaves: those who wait are served all the same';
is scalar(grep { $_->{status} != 200 } $load->stop), 0, '... with the page';

done_testing;
