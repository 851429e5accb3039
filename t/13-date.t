# The age of an answer is counted from the backend's Date (RFC 9111 section 4.2.3), and clients get that Date (RFC 9110 section
# 6.6.1).
use Larder::Test;
use IO::Select;
use POSIX qw(strftime);

my $t = Larder::Test->new;
my $date = sub { strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $_[0]) };
my %answers;    # path => [headers]; our own backend, as others add a Date themselves
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die;
my $origin = '127.0.0.1:' . $listener->sockport;
my $now = time;
%answers = (
    '/old'       => ["Date: " . $date->($now - 100), 'Cache-Control: max-age=1000'],
    '/too-old'   => ["Date: " . $date->($now - 1000), 'Cache-Control: max-age=60'],
    '/ahead'     => ["Date: " . $date->($now + 3600), 'Expires: ' . $date->($now + 3600)],
    '/aged'      => ["Date: " . $date->($now), 'Age: 50', 'Cache-Control: max-age=1000'],
    '/silent'    => ['Cache-Control: max-age=1000'],
    '/wrong'     => ['Date: yesterday', 'Cache-Control: max-age=1000'],
    '/unstored'  => ["Date: " . $date->($now - 100), 'Cache-Control: no-store'],
    '/valid'     => ["Date: " . $date->($now - 1000)],
    '/accel'     => ['X-Accel-Expires: 1000', 'Cache-Control: private, max-age=0'],
    '/accel-0'   => ['X-Accel-Expires: 0', 'Cache-Control: max-age=1000'],
    '/accel-at'  => ['X-Accel-Expires: @' . ($now + 1000)],
    '/ignored'   => ['X-Accel-Expires: 1000', 'Cache-Control: no-store'],
);
defined(my $pid = fork) or die;
if (!$pid) {
    while (my $c = $listener->accept) {
        my $head = '';
        while ($head !~ /\r\n\r\n/) { sysread $c, $head, 4096, length $head or last }
        my ($path) = $head =~ m{^GET (\S+)} or next;
        syswrite $c, join("\r\n", 'HTTP/1.1 200 OK', @{$answers{$path}}, 'Content-Length: 2', 'Connection: close', '', 'ok');
    }
    POSIX::_exit(0);
}
$t->nginx(<<"CONF");
    larder_zone 8m;
    larder_stale never;
    server {
        listen \@nginx\@;
        larder near;
        location / { proxy_pass http://$origin; }
        location /valid { larder_valid 1m; proxy_pass http://$origin; }
        location /ignored { proxy_ignore_headers X-Accel-Expires; proxy_pass http://$origin; }
    }
CONF
my $about = sub { my ($answer, $from) = @_; my $age = $answer->header('Age'); defined $age && $age >= $from && $age <= $from + 30 };

for my $path ('/old', '/aged') {
    my ($miss, $hit) = map { $t->get($path) } 1 .. 2;
    my ($sent) = map { s/^Date: //r } grep { /^Date/ } @{$answers{$path}};
    is $hit->larder, 'HIT', "$path is kept";
    is_deeply [map { [$_->header('Date')] } $miss, $hit], [([$sent]) x 2], '... and has the Date of the backend, as it came and from the cache';
    ok $about->($hit, $path eq '/old' ? 99 : 50), '... and its age';
}
isnt $t->get('/too-old')->larder, 'HIT', "$_ an answer that was stale on arrival is not stored" for 1 .. 2;
isnt $t->get('/ahead')->larder, 'HIT', "$_ Expires counts from Date" for 1 .. 2;
for my $path (qw(/silent /wrong)) {
    my ($miss, $hit) = map { $t->get($path) } 1 .. 2;
    is_deeply [$hit->larder, scalar @{[$hit->header('Date')]}], ['HIT', 1], "$path has one Date, of ours";
    my ($at) = grep { $date->($_) eq $hit->header('Date') } $now .. time + 1;  # time() may lag behind nginx's clock
    ok $at, '... the time when it came' or diag explain [$now, time, $miss->header("Date"), $hit->header("Date")];
}
is $t->get('/unstored')->header('Date'), $date->($now - 100), 'what is not kept has its Date, too';
is_deeply [map { $t->get('/valid')->larder } 1 .. 2], ['MISS', 'HIT'], 'larder_valid counts from now, whatever the backend takes the time to be';

is_deeply [map { $t->get('/accel')->larder } 1 .. 2], ['MISS', 'HIT'], 'X-Accel-Expires goes before Cache-Control';
is $t->get('/accel')->header('Cache-Control'), 'private, max-age=0', '... which is for clients';
is $t->get('/accel')->header('X-Accel-Expires'), undef, '... as it is for Larder';
isnt $t->get('/accel-0')->larder, 'HIT', "$_ X-Accel-Expires: 0 keeps nothing" for 1 .. 2;
is_deeply [map { $t->get('/accel-at')->larder } 1 .. 2], ['MISS', 'HIT'], 'X-Accel-Expires: @TIME';
isnt $t->get('/ignored')->larder, 'HIT', "$_ proxy_ignore_headers holds" for 1 .. 2;

kill KILL => $pid;
waitpid $pid, 0;
done_testing;
