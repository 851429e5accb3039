# A request that waits for another's fill is woken and asks the store; larder_lock expires before the store answers. The request must go on
# once, not twice.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $script  = $t->file('thinking-redis.py', <<'PYTHON');
import asyncio, os, sys
async def serve(reader, writer):
    while line := await reader.readline():
        words = []
        for _ in range(int(line[1:])):
            size = int((await reader.readline())[1:])
            words.append((await reader.readexactly(size + 2))[:-2])
        if words[0] == b"GET":
            print(words[1].decode(), flush=True)
            while os.path.exists(sys.argv[2]):
                await asyncio.sleep(0.02)
        writer.write({b"GET": b"$-1\r\n", b"ZRANGEBYSCORE": b"*0\r\n"}.get(words[0], b":1\r\n"))
async def main():
    await (await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))).serve_forever()
asyncio.run(main())
PYTHON
my $thinks = $t->dir . '/thinks';
$t->_start('Larder::Test::Server', 'store', command => ['python3', $script, $t->port('store'), $thinks], stop_signal => 'KILL');
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@store@ timeout=30s;
    larder_valid 1m;
    larder_lock 1s store=off;
    server { listen @nginx@; location / { larder main; proxy_pass http://@backend@; } }
CONF
my $visitor = sub {
    my $socket = Larder::Test::listens($nginx->address);
    print $socket "GET /page HTTP/1.0\r\nHost: x\r\n\r\n";
    $socket->flush;
    return $socket;
};
# The number of lookups in the store.
my $asked = sub { my $n = () = $t->read_file($t->dir . '/store.out') =~ /^larder:e:/gm; return $n };
my $tries = 0;
ok $t->await(sub { $nginx->get('/try' . $tries++); $asked->() }), 'nginx has found the store';
my $before = $asked->();

$backend->set('/page' => {hold => 1, fault => 'close'});
my $first = $visitor->();
ok $t->await(sub { ($backend->stats->{paths}{'/page'}{active} // 0) == 1 }), 'one visitor fetches';
$backend->set('/page' => {delay => 2});
my $second = $visitor->();
ok $t->await(sub { $asked->() == $before + 2 }), 'another finds nothing in the store';
$t->file('thinks', '');
$backend->release;
ok $t->await(sub { $asked->() == $before + 3 }), 'the first gets nothing, the other asks the store again';
sleep 2;    # larder_lock expires
unlink $thinks;
my $answer = do { local $/; <$second> };
like $answer, qr{^HTTP/1\.1 200 .*page render 2\n\z}s, 'it gets the page';
is $backend->count('/page'), 2, '... for which it asked once';
done_testing;
