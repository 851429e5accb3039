# A client leaves while its page of fragments is being assembled. Fills that others wait for, or that later visitors need, go
# on; what serves only this client ends.
use Larder::Test;
use Socket qw(SOL_SOCKET SO_LINGER);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF', main => 'worker_shutdown_timeout 1s;');
    larder_zone 16m;
    larder_valid 1m;
    larder_refresh off;
    server {
        listen @nginx@;
        listen @h2@ http2;
        larder near;
        larder_max_size 8m;
        larder_lock 30s;
        larder_esi on size=8m timeout=60s total=60s;
        location / { proxy_pass http://@backend@; }
        location /unkept { larder_valid 0s; proxy_pass http://@backend@; }
    }
CONF
sub begin { my ($path) = @_; my $s = Larder::Test::listens($t->address('nginx')); print $s "GET $path HTTP/1.1\r\nHost: h\r\n\r\n"; $s->flush; return $s }
sub frame { my ($type, $flags, $stream, $payload) = @_; return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload }
sub begin_h2 { my ($path) = @_; my $s = Larder::Test::listens($t->address('h2')); print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''), frame(1, 5, 1, "\x82\x86\x04" . chr(length $path) . "$path\x01\x01h"); $s->flush; return $s }
my %ways = (
    closes    => sub { my $s = begin($_[0]); return sub { close $s } },
    resets    => sub { my $s = begin($_[0]); return sub { setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; close $s } },
    h2_closes => sub { my $s = begin_h2($_[0]); return sub { close $s } },
    h2_resets => sub { my $s = begin_h2($_[0]); return sub { print $s frame(3, 0, 1, pack 'N', 8); $s->flush; push our @kept, $s } },
);
my $get = sub { $t->get($_[0], headers => [Host => 'h']) };
my $state = sub { $backend->stats->{paths}{$_[0]} || {} };
my $page = sub { join '', map { qq{<esi:include src="$_" onerror="continue"/>} } @_ };

for my $way (sort keys %ways) {
    # Pages that are a miss, a hit, and not stored; each with two fragments, the second nested.
    for my $place (qw(/page /kept /unkept)) {
        my ($path, $part, $inner) = map { "$_/$way" } $place, "/part$place", "/inner$place";
        $backend->set($path => {body => $page->($part)}, $part => {body => 'the part', hold => 1});
        if ($place eq '/kept') {
            $backend->set($part => {status => 503});
            $get->($path);
            $backend->set($part => {body => 'the part', hold => 1});
        }
        my $before = $backend->count($part);
        my $leave = $ways{$way}->($path);
        ok $t->await(sub { $backend->count($part) == $before + 1 }), "$path: a client asks";
        my $load = $t->load([{path => $part, headers => [Host => 'h']}], clients => 2, pause => 0.05);
        $leave->();
        $get->('/ping');    # by now nginx has noticed
        is $state->($part)->{active}, 1, '... and leaves: its fragment goes on';
        $backend->release;
        ok $t->await(sub { $load->count }), '... for those who wait';
        is scalar(grep { $_->{status} != 200 } $load->stop), 0, '... and the waiting visitors get it';
        is $backend->count($part), $before + 1, '... of one render';
        is $get->($part)->larder, 'HIT', '... and it is kept';
    }

    # In the middle of a long fragment.
    my ($path, $part) = ("/long/$way", "/longpart/$way");
    $backend->set($path => {body => $page->($part)}, $part => {size => 1_000_000, pace => 20_000});
    my $leave = $ways{$way}->($path);
    ok $t->await(sub { $backend->count($part) == 1 }), "$path: a client asks";
    $leave->();
    ok $t->await(sub { $get->($part)->larder eq 'HIT' }, 'a hit', 30), '... and leaves: the rest of the fragment is kept';
    is $backend->count($part), 1, '... of one render';

    # A fragment that serves only this client, beside one that others need.
    ($path, $part, my $own) = map { "$_/$way" } '/both', '/bothpart', '/own';
    $backend->set($path => {body => $page->($part, $own)}, $part => {body => 'the part', hold => 1}, $own => {size => 8_000_000, pace => 1000, headers => [['Cache-Control', 'private']]});
    $leave = $ways{$way}->($path);
    ok $t->await(sub { $state->($part)->{active} && $state->($own)->{active} }), "$path: a client asks";
    $leave->();
    ok $t->await(sub { !$state->($own)->{active} }), '... and leaves: what is the client\'s alone ends';
    is $state->($part)->{active}, 1, '... and the other fragment goes on';
    $backend->release;
    ok $t->await(sub { $get->($part)->larder eq 'HIT' }), '... to its end';
    is $backend->count($part), 1, '... of one render';
}

# An answer that turns out to be for this client alone is not requested again in full.
$backend->set('/late' => {body => $page->('/late/own')}, '/late/own' => {hold => 1, headers => [['Cache-Control', 'private']]});
my $s = Larder::Test::listens($t->address('nginx'));
print $s "GET /late HTTP/1.1\r\nHost: h\r\nX-Other: 1\r\nUser-Agent: browser\r\nAccept-Language: de\r\n\r\n";
$s->flush;
ok $t->await(sub { $backend->count('/late/own') == 1 }), 'a client with more to say asks';
close $s;
$get->('/ping');
$backend->release;
ok $t->await(sub { !$state->('/late/own')->{active} }), '... and leaves: its own fragment comes';
is $get->('/ping')->status, 200, '... and no answer is sent to the client that left';
is $backend->count('/late/own'), 1, '... and is not asked for in full';

# A client that sends its next request, or only shuts down its sending side, gets the page.
$backend->set('/ahead' => {body => $page->('/ahead/part') . '.'}, '/ahead/part' => {hold => 1, body => 'part'}, '/second' => {body => 'second'});
$s = begin('/ahead');
ok $t->await(sub { $backend->count('/ahead/part') == 1 }), 'a client asks';
print $s "GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
$s->flush;
$get->('/ping');
$backend->release;
like join('', <$s>), qr/200 OK.*part.*200 OK.*second/s, '... and asks for more: it gets both';

# A worker that shuts down does not stay for it.
$backend->set('/end' => {body => $page->('/end/part')}, '/end/part' => {hold => 1, body => 'part'});
$s = begin('/end');
ok $t->await(sub { $backend->count('/end/part') == 1 }), 'a client asks';
close $s;
$get->('/ping');
my @old = $nginx->workers;
ok $nginx->reload, '... and leaves; the worker ends all the same';
$backend->release;
is $get->('/end/part')->status, 200, '... and the fragment is for the next one to ask for';
is scalar(grep { my $pid = $_; grep { $_ == $pid } @old } $nginx->workers), 0, '... of another worker';
done_testing;
