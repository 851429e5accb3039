# The module loads into the distribution's nginx, survives reloads and exits cleanly; without directives it does nothing.
use Larder::Test;

my $t = Larder::Test->new;
$t->backend;
my $nginx = $t->nginx('server { listen @nginx@; location / { proxy_pass http://@backend@; } }', workers => 2);

is $t->get('/a')->body, "/a render 1\n", 'a location without larder passes through';
is $t->get('/a')->body, "/a render 2\n", '... each time';
ok !defined $t->get('/a')->header('Cache-Status'), '... and claims nothing';
for my $round (1 .. 3) {
    ok $nginx->reload, "reload $round";
    is $t->get('/a')->status, 200, "serves after reload $round";
}
my ($code, $said) = $t->nginx_test('larder_zone 8m; server { location / { larder near; } }');
is $code, 0, 'a configuration of two directives is whole' or diag $said;

done_testing;
