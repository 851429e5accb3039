# nginx names its Redis scripts by their digests. A Redis that has forgotten them, or that allows EVAL alone, is sent them in full, and
# no page is lost over it.
use Larder::Test;

my $t = Larder::Test->new;
$t->backend;
my $redis = $t->redis;
my $nginx = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1h;
    server {
        listen @nginx@;
        location / { larder main near=off; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
    }
CONF

sub calls { my ($command) = @_; return $redis->cli('INFO', 'commandstats') =~ /^cmdstat_$command:calls=(\d+)/m ? $1 : 0 }

my $pages = 0;
sub is_stored {
    my $path = '/' . $pages++;
    $nginx->get($path);
    return $t->await(sub { $redis->cli('--scan', '--pattern', 'larder:t:*') && $nginx->get($path)->header('Cache-Status') =~ /hit/ }, "$path stored");
}

ok is_stored(), 'the first page is stored, though Redis knows no script yet';
my $in_full = calls('eval');
ok is_stored(), 'so is the next';
is calls('eval'), $in_full, '... with scripts by their digests';

$redis->cli('SCRIPT', 'FLUSH');
ok is_stored(), 'Redis has forgotten its scripts: the page is stored all the same';
cmp_ok calls('eval'), '>', $in_full, '... with the scripts in full';
$in_full = calls('eval');
ok is_stored(), 'the next one is stored';
is calls('eval'), $in_full, '... by digests again';

$redis->cli('ACL', 'SETUSER', 'default', '-evalsha');
ok is_stored(), 'Redis allows EVAL alone: the page is stored';
cmp_ok calls('eval'), '>', $in_full, '... with the scripts in full';
is $nginx->counters->{store_refused}, 0, 'none of this counts as a refusal';
done_testing;
