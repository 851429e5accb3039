# A reload while many refreshes are pending: the old worker finishes those under way, and leaves the others to the new worker.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        location = /larder_purge { larder_purge; }
        location / { proxy_pass http://@backend@; }
    }
CONF
my @pages = map { "/page-$_" } 1 .. 20;
$t->get($_) for @pages;
$t->purge(join '&', map { "url=$_" } @pages);
$backend->set('/page-*' => {hold => 1});
is $t->get($_)->larder, 'STALE', "$_ is stale" for @pages;
my $active = sub { $backend->stats->{active} };
ok $t->await(sub { $active->() == 4 }), 'a few are being refreshed';
my ($old) = $nginx->workers;
$nginx->signal('HUP');
ok $t->await(sub { $nginx->error_log =~ m{ $old#\d+: gracefully shutting down} }), '... when a reload comes';
my $total = $backend->count;
$backend->release;
ok $t->await(sub { my @now = $nginx->workers; @now == 1 && $now[0] != $old }), 'the old worker ends';
is $backend->count, $total, '... and has begun no other';
ok $t->await(sub { !grep { $t->get($_)->larder ne 'HIT' } @pages }), 'the new one sees to the rest';
done_testing;
