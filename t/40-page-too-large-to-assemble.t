# A page larger than larder_esi size= is sent as it is: complete, with nothing but its own bytes, however slowly its client
# reads; and Cache-Status does not say that it was stored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $body    = '<esi:include src="/f"/>' . join '', map { sprintf "%09d\n", $_ } 1 .. 250_000;
my @esi     = (headers => [['Surrogate-Control', 'max-age=60, content="ESI/1.0"']]);
$backend->set('/chunked*' => {chunked => 1, body => $body, @esi}, '/length*' => {body => $body, @esi}, '/close*' => {until_close => 1, body => $body, @esi},
    '/other*' => {chunked => 1, body => 'of somebody else ' x 60_000, headers => [['Surrogate-Control', 'max-age=60']]});
$t->nginx(<<'CONF', env => {MALLOC_PERTURB_ => 165}, main => 'env MALLOC_PERTURB_;');
    larder_zone 64m;
    larder_valid 1m;
    server { listen @nginx@ sndbuf=16k; location / { larder near; larder_esi auto; larder_max_size 16m; proxy_pass http://@backend@; } }
CONF
for my $kind (qw(chunked length close)) {
    my $socket = Larder::Test::listens($t->address('nginx'));
    setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 8192;
    syswrite $socket, "GET /$kind/slow HTTP/1.0\r\nHost: a\r\n\r\n";
    $t->await(sub { $backend->stats->{active} == 0 && $backend->count("/$kind/slow") }, 'all of it is read');
    $t->many(4, sub { {path => "/other/$kind-$_[0]"} });
    my $bytes = '';
    1 while sysread $socket, $bytes, 1 << 16, length $bytes;
    my ($head, $got) = split /\r\n\r\n/, $bytes, 2;
    ok $got eq $body, "$kind: a client that reads slowly gets the page" or diag length $got;
    unlike $head, qr/stored/, '... of which nothing says that it was kept';
    for (1 .. 3) {
        my @answers = map { $t->get("/$kind/$_") } 1 .. 2;
        ok !(grep { $_->body ne $body } @answers), '... as do those who come later';
    }
}
done_testing;
