# larderd's API: clients without a token can use only few resources, and don't affect others.
use Larder::Test;
use Larder::Test::Daemon;
use IO::Socket::INET;

my $t = Larder::Test->new;
$t->redis;
my $d   = Larder::Test::Daemon->start($t);
my $rss = sub { $t->read_file('/proc/' . $d->server->pid . '/statm') =~ /^\d+ (\d+)/; $1 * 4 / 1024 };
my $at_start = $rss->();

my $connect = sub { IO::Socket::INET->new(PeerAddr => $t->address('larderd'), Timeout => 10) or die "connect: $!" };
# Sends the piece repeatedly, up to this number of bytes. Returns the status line of the answer, if one comes.
my $flood = sub {
    my ($head, $piece, $bytes) = @_;
    my $s = $connect->();
    local $SIG{PIPE} = 'IGNORE';
    my $line = '';
    print $s $head;
    $s->autoflush(1);
    for (my $sent = 0; $sent < $bytes; $sent += length $piece) { last unless print $s $piece }
    $s->recv($line, 4096);
    return $line =~ /^HTTP\/1.1 (\d+)/ ? $1 : '';
};

my $field = 'X: ' . 'a' x 4000 . "\r\n";
is $flood->("GET /v1/status HTTP/1.1\r\nHost: a\r\n", $field, 100_000_000), 431, 'fields without end';
is $flood->('GET /', 'a' x 65536, 100_000_000), 431, 'a line without end';
my $post = "POST /v1/purge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
my $chunk = "10000\r\n" . 'a' x 65536 . "\r\n";
is $flood->("${post}Transfer-Encoding: chunked\r\n\r\n", $chunk, 100_000_000), 401, 'chunks without end, without a token';
my $token = "Authorization: Bearer $Larder::Test::Daemon::token\r\n";
is $flood->("$post${token}Transfer-Encoding: chunked\r\n\r\n", $chunk, 100_000_000), 413, '... and with one';
is $flood->("$post${token}Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n", 'x' x 10, 10), 415, 'a compressed body';
cmp_ok $rss->() - $at_start, '<', 40, 'all that cost less than 40 MB';

my @slow = map { my $s = $connect->(); print $s "GET / HTTP/1.1\r\nX"; $s->flush; $s } 1 .. 300;
is $d->request(path => '/healthz', anonymous => 1)->status, 200, '300 connections that wait, and a health check is answered';
is(($d->ctl('status'))[0], 0, '... and larderctl');

for my $method (qw(GET HEAD OPTIONS)) {
    is $d->request(method => $method, path => '/healthz', anonymous => 1)->status, 200, "$method /healthz";
}
is $d->request(method => 'OPTIONS', path => '/v1/status')->status, 405, 'other calls have their methods';

my ($code, $said) = $t->run_command([$t->larderd_path, '-c', $t->dir . '/larderd.toml']);
is $code, 1, 'a second larderd at the same address does not start';
like $said, qr/the API cannot listen at \Q@{[$t->address('larderd')]}\E: bind: Address already in use/, '... and says why';

done_testing;
