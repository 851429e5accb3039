# When a page may not be stored any more, its entry is removed everywhere, and not served as stale. And a render whose fence covers a purge
# has read the write that caused the purge.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s;
    server {
        listen @nginx@;
        server_name example.com;
        location / { larder main; proxy_pass http://@backend@; proxy_set_header Host $host; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $d  = Larder::Test::Daemon->start($t);
my @as = (headers => [Host => 'example.com']);

for my $taken ([private => {headers => [['Cache-Control', 'private']], body => 'mine {n}'}], [gone => {status => 404, body => 'no {n}'}]) {
    my ($how, $rule) = @$taken;
    $backend->set("/$how" => {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', $how]], body => 'everybody'});
    $t->get("/$how", @as);
    ok $t->await(sub { $t->get("/$how", @as)->larder eq 'HIT' && $redis->cli('KEYS', 'larder:e:*') }), "$how: a page for everybody";
    $backend->set("/$how" => $rule);
    $t->purge("tag=$how", @as);
    ok $t->await(sub { $t->get("/$how", @as)->body =~ /^(mine|no) / }), "$how: then it is not, and nobody gets the old one";
    ok $t->await(sub { !grep { /^larder:e:/ } split /\n/, $redis->cli('KEYS', '*') }), "$how: ... which is in no store";
}

$t->purge("tag=x&position=$_", @as) for 'default/1/16B3748', 'default/1/FFF', 'default/1/16B3740';
is $t->purge("tag=x&position=$_", @as)->status, 400, "$_ is no position" for 'nonsense', 'default/7/1/' . 'F' x 18;
is $redis->cli('HGET', 'larder:{purge}positions', 'default'), 'default/1/16B3748', 'the newest position of all purges is kept';
$t->purge('tag=x&position=default/2/10', @as);
is $redis->cli('HGET', 'larder:{purge}positions', 'default'), 'default/2/10', '... and of another timeline the one that came last';
$t->purge("tag=x&position=$_", @as) for 'default/1/9', 'default/77/1/8', 'default/77/1/7';
is $redis->cli('HGET', 'larder:{purge}positions', 'default'), 'default/77/1/8', '... and of another cluster, too';

done_testing;
