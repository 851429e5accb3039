# The name of a store is resolved while nginx runs: a server that has moved is found, whether the old one is gone or not.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $port    = $t->port('redis');
my %redis   = ('127.0.0.1' => $t->redis);
# By the system's resolver, which nginx uses at startup, the name has the address 127.0.0.1.
my $leads_to = sub { $t->file('dns.names', "localhost @_\n") };
$t->dns(names => "localhost 127.0.0.1\n");
my $nginx = $t->nginx(<<'CONF');
    resolver @dns@ ipv6=off;
    larder_zone 8m;
    larder_store main redis://localhost:@redis.port@ timeout=5s;
    larder_valid 1h;
    server { listen @nginx@; location / { larder main near=off; proxy_pass http://@backend@; } }
CONF
my $pages = 0;
my $is_used = sub {
    my ($address) = @_;
    my $stored = sub { my $keys = $redis{$address}->cli('KEYS', 'larder:e:*') // ''; scalar(() = $keys =~ /larder:e:/g) };
    my $before = $stored->();
    return $t->await(sub { $t->get('/' . $pages++); $stored->() > $before }, "pages in $address", 30);
};
ok $is_used->('127.0.0.1'), 'the store is where the system said';

$redis{'127.0.0.2'} = $t->redis(name => 'second', bind => '127.0.0.2', port => $port);
$leads_to->('127.0.0.2');
$redis{'127.0.0.1'}->kill;
ok $is_used->('127.0.0.2'), 'its server is gone, and the name leads to another: that is used';

$redis{'127.0.0.1'}->restart;
$leads_to->('127.0.0.1');
ok $is_used->('127.0.0.1'), 'the name leads back while the server is there: it is left';
like $nginx->error_log, qr{larder: redis://localhost:\d+ is at 127\.0\.0\.1:\d+ now, and no longer at 127\.0\.0\.2:\d+}, '... which the log says';

my $before = () = $nginx->error_log =~ /is at .* now/g;
$leads_to->('127.0.0.2', '127.0.0.1');
ok $is_used->('127.0.0.1'), 'while its address is one of several, it stays';
$t->file('dns.names', '');
ok $t->await(sub { $nginx->error_log =~ /the address of "localhost" is not to be found/ }, 'no such name', 30), 'a name without an address is logged';
ok $is_used->('127.0.0.1'), '... and the address that was known is used';
is scalar(() = $nginx->error_log =~ /is at .* now/g), $before, '... all the time';
done_testing;
