# A client that leaves does not end a fill, as others wait for the page and later visitors need it. What serves only this client
# ends.
use Larder::Test;
use Socket qw(SOL_SOCKET SO_LINGER);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF', main => 'worker_shutdown_timeout 1s;');
    larder_zone 16m;
    larder_valid 1m;
    server {
        listen @nginx@;
        listen @h2@ http2;
        larder near;
        larder_max_size 8m;
        larder_lock 30s;
        root @dir@/www;
        location / { proxy_pass http://@backend@; }
        location /ignoring { proxy_ignore_client_abort on; proxy_pass http://@backend@; }
        location /unbuffered { proxy_buffering off; proxy_pass http://@backend@; }
        location /few-buffers { proxy_buffers 2 4k; proxy_buffer_size 4k; proxy_busy_buffers_size 4k; proxy_max_temp_file_size 0; proxy_pass http://@backend@; }
        location /zipped { gzip on; gzip_min_length 1; proxy_pass http://@backend@; }
        location /zipped/unbuffered { gzip on; proxy_buffering off; proxy_pass http://@backend@; }
        location /esi { larder_esi on; proxy_pass http://@backend@; }
        location /tried { try_files /nothing @site; }
        location @site { proxy_pass http://@backend@; }
        location /small { larder_max_size 100k; proxy_pass http://@backend@; }
        location /patient { proxy_read_timeout 500ms; proxy_pass http://@backend@; }
    }
CONF

# A client on a connection of its own.
sub begin { my ($path, @headers) = @_; my $s = Larder::Test::listens($t->address('nginx')); print $s join "\r\n", "GET $path HTTP/1.1", 'Host: h', @headers, '', ''; $s->flush; return $s }
# The same by HTTP/2 without TLS: stream 1 requests the path, stream 3 is for later use.
sub frame { my ($type, $flags, $stream, $payload) = @_; return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload }
sub h2_headers { my ($stream, $path) = @_; return frame(1, 5, $stream, "\x82\x86\x04" . chr(length $path) . "$path\x01\x01h") }
sub begin_h2 { my ($path) = @_; my $s = Larder::Test::listens($t->address('h2')); print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''), h2_headers(1, $path); $s->flush; return $s }
# What was received on a client's connection so far. It is stored in the socket itself, as another socket may get its address
# later.
sub came { my ($s) = @_; my $came = \(${*$s}{came} //= ''); $s->blocking(0); 1 while sysread $s, $$came, 1 << 16, length $$came; return $$came }
# The bodies of streams, once stream $of has ended; nothing if the received bytes are not valid frames.
sub h2_bodies {
    my ($s, $of) = @_;
    my $ended = $t->await(sub {
        my $came = came($s);
        my ($at, %body) = (0);
        while (length($came) >= $at + 9) {
            my ($length, $type, $flags, $stream) = (unpack('N', "\0" . substr $came, $at, 3), unpack 'x3CCN', substr $came, $at, 9);
            return {} if $type > 10;
            last if length($came) < $at + 9 + $length;
            $body{$stream} .= substr $came, $at + 9, $length if $type == 0;
            return \%body if $stream == $of && $type < 2 && $flags & 1;
            $at += 9 + $length;
        }
        return;
    }, "the end of stream $of");
    return $ended || {};
}
sub reset_connection { my ($s) = @_; setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; close $s }

my %ways = (
    closes      => sub { my $s = begin($_[0]); return $s, sub { close $s } },
    resets      => sub { my $s = begin($_[0]); return $s, sub { reset_connection($s) } },
    h2_closes   => sub { my $s = begin_h2($_[0]); return $s, sub { close $s } },
    h2_resets   => sub { my $s = begin_h2($_[0]); return $s, sub { print $s frame(3, 0, 1, pack 'N', 8), frame(8, 0, 0, pack 'N', 1 << 20), h2_headers(3, '/other'); $s->flush; is h2_bodies($s, 3)->{3}, "/other render 1\n", '... another stream goes on'; close $s } },
);
# Before the first byte: waiting visitors get the page, and it is rendered once.
for my $way (sort keys %ways) {
    for my $place (qw(/page /ignoring /unbuffered /esi /tried /zipped)) {
        my $path = "$place/$way";
        $backend->set($path => {hold => 1, body => 'the page'});
        my ($socket, $leave) = $ways{$way}->($path);
        ok $t->await(sub { $backend->count($path) == 1 }), "$path: a client asks";
        my $load = $t->load([{path => $path, headers => [Host => 'h']}], clients => 2, pause => 0.05);
        if ($way eq 'h2_resets') { print $socket frame(3, 0, 1, pack 'N', 8); $socket->flush } else { $leave->() }
        $t->get('/ping', headers => [Host => 'h']);    # by now nginx has noticed
        is $backend->stats->{paths}{$path}{active}, 1, '... and leaves: the backend goes on';
        $backend->release;
        ok $t->await(sub { $load->count }), '... for those who wait';
        is scalar(grep { $_->{status} != 200 } $load->stop), 0, '... who get the page';
        is $backend->count($path), 1, '... of one render';
    }
}

# In the middle of a long answer: the rest is captured.
my $size = 2_000_000;
for my $way (sort keys %ways) {
    for my $place (qw(/long /ignoring /unbuffered /few-buffers /zipped /zipped/unbuffered /tried)) {
        my $path = "$place/$way-long";
        my @coding = $place =~ /zipped/ ? ('Accept-Encoding: gzip') : ();
        $backend->set($path => {size => $size, pace => 50_000, chunked => $place eq '/long'});
        my ($socket, $leave) = $ways{$way}->($path);
        ok $t->await(sub { length came($socket) > 300 }), "$path: a client takes the beginning";
        $leave->();
        ok $t->await(sub { $t->get($path, headers => [Host => 'h'])->larder eq 'HIT' }, 'a hit', 30), '... and leaves: the rest is kept';
        is length $t->get($path, headers => [Host => 'h'])->body, $size, '... all of it';
        is $backend->count($path), 1, '... of one render';
    }
}

# A client that only shuts down its sending side still gets the page.
$backend->set('/half' => {hold => 1, body => 'the page'});
my $half = begin('/half', 'Connection: close');
ok $t->await(sub { $backend->count('/half') == 1 }), 'a client asks';
shutdown $half, 1;
$backend->release;
like join('', <$half>), qr/200 OK.*the page$/s, '... ends what it sends, and gets the page';

# A pipelined request is answered in its turn.
$backend->set('/first' => {hold => 1, body => 'first'}, '/second' => {body => 'second'});
my $eager = begin('/first');
ok $t->await(sub { $backend->count('/first') == 1 }), 'a client asks';
print $eager "GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
$eager->flush;
$t->get('/ping', headers => [Host => 'h']);
$backend->release;
like join('', <$eager>), qr/200 OK.*first.*200 OK.*second/s, '... for a second page before it has the first';

# A backend that never answers runs into its timeout, and the next visitor asks again.
$backend->set('/patient' => {fault => 'hang'});
my $leaver = begin('/patient');
ok $t->await(sub { $backend->count('/patient') == 1 }), 'a client asks what is never answered';
close $leaver;
$backend->set('/patient' => {body => 'well'});
is $t->get('/patient', headers => [Host => 'h'])->body, 'well', '... and leaves: the next one need not wait for long';

# What serves only this client ends with it.
$backend->set('/stream' => {stream => 1, type => 'text/event-stream', headers => [['X-Accel-Buffering', 'no']]},
    '/own' => {size => $size, pace => 1000, headers => [['Cache-Control', 'private']]}, '/small' => {size => $size, pace => 10_000, chunked => 1});
for my $path (qw(/stream /own /small)) {
    for my $way (qw(closes h2_closes)) {
        my ($socket, $leave) = $ways{$way}->($path);
        ok $t->await(sub { $backend->stats->{paths}{$path}{active} && length came($socket) > 80 }), "$path, $way: a client takes the beginning of what is not kept";
        $leave->();
        ok $t->await(sub { $backend->stats->{paths}{$path}{active} == 0 }), '... and leaves: the backend is told';
    }
}

# A worker that shuts down does not stay for it.
$backend->set('/held' => {hold => 1});
$leaver = begin('/held');
ok $t->await(sub { $backend->count('/held') == 1 }), 'a client asks';
close $leaver;
my @old = $nginx->workers;
ok $nginx->reload, '... and leaves; the worker ends all the same';
$backend->release;
is $t->get('/held', headers => [Host => 'h'])->status, 200, '... and the page is for the next one to ask for';
is scalar(grep { my $pid = $_; grep { $_ == $pid } @old } $nginx->workers), 0, '... of another worker';
done_testing;
