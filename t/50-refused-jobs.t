# If no larderd can do a job, nginx refreshes the page itself.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->memcached;
my $nginx = sub {
    my ($store) = @_;
    return <<"CONF";
    larder_zone 32m; larder_store main $store; larder_daemon redis://\@redis\@ timeout=5s; larder_max_size 4m;
    server { listen \@nginx\@; location / { larder main; proxy_set_header Host \$http_host; proxy_pass http://\@backend\@; } }
CONF
};
my $page = [['Cache-Control', 'max-age=1, stale-while-revalidate=600']];
$backend->set('/*' => {headers => $page, body => '{n}'}, '/big' => {headers => $page, body => '{n} ' . 'x' x 1_200_000});
my $d = Larder::Test::Daemon->start($t, store => 'url = "memcached://@memcached@"');
$t->nginx($nginx->('memcached://@memcached@'));

$t->get('/big');
ok $t->await(sub { $t->get('/big')->body =~ /^[2-9]/ }, 'renewal'), "a page above memcached's item size is renewed";
cmp_ok $d->status->{jobs}{refused}, '>=', 1, '... by nginx, as larderd has refused it';
is $d->status->{jobs}{failed}, 0, '... and not tried it again and again';
done_testing;
