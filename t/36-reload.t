# HUP keeps the near cache, under load; a new size or a removed zone is taken over, too.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $http = <<'CONF';
    larder_zone 8m;
    larder_valid 1m;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; } }
CONF
my $nginx = $t->nginx($http, workers => 2);
my @paths = map { "/page-$_" } 1 .. 20;
$t->get($_) for @paths;

my $load = $t->load(\@paths);
for my $round (1 .. 3) {
    my $from = $load->count;
    ok $nginx->reload, "reload $round";
    ok $t->await(sub { $load->count > $from + 100 }), "load goes on after reload $round";
}
my @answers = $load->stop;
is scalar(grep { $_->{status} >= 500 } @answers), 0, 'no errors';
is scalar(grep { $_->{complete} && $_->{larder} ne 'HIT' } @answers), 0, 'every answer a hit, before and after';
is $backend->count, 20, 'the backend was not asked again';

(my $larger = $http) =~ s/8m/16m/;
ok $nginx->reload($larger), 'a zone of another size';
is $t->get('/page-1')->status, 200, '... serves';
$t->get('/page-1');
is $t->get('/page-1')->larder, 'HIT', '... and keeps';
(my $without = $http) =~ s/larder[^;]*;//g;
ok $nginx->reload($without), 'no zone at all';
is $t->get('/page-1')->status, 200, '... serves';
ok $nginx->reload($http), 'and a zone again';
is $t->get('/page-1')->status, 200, '... serves';

done_testing;
