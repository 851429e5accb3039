# A purge in memcached is in force once it is acknowledged, also if the purging machine has not yet read the log: the log may
# have a floor or purges of a clock that is ahead, and entries of other machines know of them.
use Larder::Test;

my $t         = Larder::Test->new;
my $backend   = $t->backend;
my $memcached = $t->memcached;
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600']], body => '{n}'});
my ($one, $two) = map { $t->nginx(<<"CONF", name => $_) } qw(one two);
    larder_zone 8m;
    larder_store main memcached://\@memcached\@ timeout=5s;
    server {
        listen \@$_\@; server_name example.com;
        location / { larder main near=off; proxy_pass http://\@backend\@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my @as       = (headers => [Host => 'example.com']);
my $sequence = sub { my ($nginx, $what) = @_; return $nginx->purge($what, @as)->body =~ /"sequence":(\d+)/ ? $1 : 0 };
my $ahead    = time * 1_000_000;

# Each nginx reads the log every half second: in most rounds the second one has not read the new log when it purges.
for my $round (1 .. 5) {
    $ahead += 3_600_000_000;
    my $floor = "$ahead floor s\n";
    $memcached->command(sprintf "set larder:purges 0 0 %d\r\n%s", length $floor, $floor);
    cmp_ok $sequence->($one, 'tag=other'), '>', $ahead, 'a purge is above a floor of the future';
    is $one->get("/page$round", @as)->body, 1, '... a page is rendered';
    cmp_ok $sequence->($two, "url=/page$round&mode=hard"), '>', $ahead, '... another machine purges it';
    is $two->get("/page$round", @as)->body, 2, '... and has it made anew';
}

# A purge that can't be recorded is not acknowledged.
$memcached->kill;
is $two->purge('url=/page', @as)->status, 503, 'without memcached a purge is refused';
done_testing;
