# A reload keeps the near cache, under load; a changed size or a removed zone is applied, too.
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

# Old workers finish their requests, whatever these wait for: a silent store, another request's fill, a fragment.
$t->store_fake('silent');
ok $nginx->reload(<<'CONF'), 'a configuration with a store that never answers';
    larder_zone 8m;
    larder_store silent redis://@store@ timeout=3s;
    larder_valid 1m;
    larder_esi on;
    server {
        listen @nginx@;
        location / { larder near; proxy_pass http://@backend@; }
        location /silent/ { larder silent near=off; proxy_pass http://@backend@; }
        location = /connections { stub_status; }
    }
CONF
$backend->set('/slow' => {hold => 1}, '/assembled' => {body => 'a<esi:include src="/slow-part"/>b'}, '/slow-part' => {hold => 1});
my @waiting = map {
    my $socket = Larder::Test::listens($nginx->address);
    print $socket "GET $_ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    $socket->flush;
    $socket;
} ('/slow') x 3, ('/assembled') x 3, ('/silent/page') x 3;
ok $t->await(sub { $t->get('/connections')->body =~ /Writing: 10/ }), 'nine visitors are waiting';
$nginx->signal('HUP');
ok $t->await(sub { $nginx->workers == 4 }), '... when a reload comes';
$backend->release;
my @came = map { local $/; my $socket = $_; scalar <$socket> } @waiting;
is scalar(grep { m{^HTTP/1\.1 200 .*render \d\n}s } @came), 9, 'all nine are served' or diag explain \@came;
ok $t->await(sub { $nginx->workers == 2 }), 'and the old workers end';

done_testing;
