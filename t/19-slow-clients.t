# Clients that don't read their answers cost a worker no more memory than the limit for each, and delay nobody else.
use Larder::Test;
use Socket qw(SOL_SOCKET SO_RCVBUF);

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $server  = <<'CONF';
    larder_zone 16m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1h;
    larder_max_size 256k;
    server {
        listen @NAME@;
        listen @NAME_slow@ sndbuf=16k;    # buffered by the kernel for clients that don't read
        location /near/  { larder near; larder_lock 30s; proxy_pass http://@backend@; }
        location /store/ { larder main near=off; proxy_pass http://@backend@; }
        location /plain/ { proxy_pass http://@backend@; }
    }
CONF
my %nginx = map { my $name = $_; ($name => $t->nginx($server =~ s/NAME/$name/gr, name => $name)) } qw(plain larder);
my $larder = $nginx{larder};
my ($large, $fits) = (8 << 20, 250_000);
$backend->set(map { ("/$_/length*" => {size => $large}, "/$_/chunked*" => {size => $large, chunked => 1}, "/$_/fits*" => {size => $fits}, "/$_/fits-chunked*" => {size => $fits, chunked => 1}) } qw(near store plain));

# Opens so many clients. Each requests a page and reads only the first bytes.
sub slow {
    my ($nginx, $count, $path) = @_;
    return map {
        socket my $socket, Socket::AF_INET(), Socket::SOCK_STREAM(), 0 or die "socket: $!";
        setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 4096;
        connect $socket, Socket::pack_sockaddr_in($t->port($nginx->name . '_slow'), Socket::INADDR_LOOPBACK()) or die "connect: $!";
        syswrite $socket, "GET $path-$_ HTTP/1.1\r\nHost: a\r\n\r\n";
        sysread $socket, my $byte, 1;    # the answer has begun
        $socket;
    } 1 .. $count;
}

# The client whose request fills does not read: nobody has to wait for it, as the backend's answer is read at the backend's
# speed.
# [page, whether it is stored in the end]
for my $case (['/near/length', 0], ['/near/fits', 1], ['/near/fits-chunked', 1], ['/near/chunked', 0]) {
    my ($path, $kept) = @$case;
    my @first = slow($larder, 1, $path);
    my @next  = $larder->many(5, {path => "$path-1", headers => [Host => 'a']});
    is $backend->count("$path-1"), 1, "$path: one render" if $kept;
    is scalar(grep { $_->complete && $_->status == 200 } @next), 5, "$path: others get it while the first of them reads nothing";
    my $after = $larder->get("$path-1", headers => [Host => 'a']);
    is $after->larder eq 'HIT' ? 1 : 0, $kept, '... and it is ' . ($kept ? 'kept' : 'not kept');
    like $after->header('Cache-Status'), qr/fwd=bypass; detail=not-storable/, '... nor waited for, from now on' if !$kept;
}

# A worker's memory while forty of them are connected.
sub kilobytes { my ($nginx) = @_; my ($n) = $t->read_file('/proc/' . ($nginx->workers)[0] . '/status') =~ /^RssAnon:\s+(\d+) kB/m; return $n }
my $count = 40;
my %least;
for my $kind (qw(length chunked fits)) {
    my @held = slow($nginx{plain}, $count, "/plain/$kind");
    $least{$kind} = kilobytes($nginx{plain});
}
$larder->get("/near/fits-$_", headers => [Host => 'a']) for 1 .. $count;
$larder->get("/store/fits-$_", headers => [Host => 'a']) for 1 .. $count;
my $before = kilobytes($larder);
SKIP: {
    skip 'sanitizers keep freed memory', 1 if %{$t->_sanitizer_env('nginx')};
    # [page, kB that each client may hold: nothing for what is sent from the near cache or is known to be too large; else twice
    # the limit in nginx's buffers, and twice while a string grows; not 8 MB]
    for my $case (['/near/length', 0], ['/near/fits', 0], ['/store/fits', 256], ['/near/chunked', 4 * 256], ['/store/chunked', 4 * 256]) {
        my ($path, $each) = @$case;
        my @held = slow($larder, $count, $path);
        my $took = kilobytes($larder) - $before;
        my ($kind) = $path =~ m{(\w+)$};
        cmp_ok $took, '<', $count * $each + $least{$kind} + 2048, "$path: $count of them take $took kB (without Larder, $least{$kind} kB with all else)";
    }
}

done_testing;
