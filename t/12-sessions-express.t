# Express with express-session ignores a session that it does not know, in silence: nobody who is logged in may get what it then
# sends, nor may it be kept. Needs both from npm (NODE_PATH says where).
use Larder::Test;

my ($missing) = Larder::Test->run_command(['node', '-e', 'require("express"), require("express-session")']);
if ($missing) {
    Test::More::plan(skip_all => 'no express and express-session for node');
}
my $t = Larder::Test->new;
$t->_start('Larder::Test::Server', 'express',
    command => ['node', "$Larder::Test::root/tests/fakes/sessions.js", $t->port('express'), $t->dir . '/seen']);
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server { listen @nginx@; location / { larder near; larder_cookie_preset express; proxy_pass http://@express@; } }
CONF
my $ask = sub { my ($path, $cookie) = @_; my $r = $t->get($path, headers => [$cookie ? (Cookie => $cookie) : ()]); [$r->body, $r->larder] };
my $login = sub { join '; ', map { /^([^;]+)/ } $t->get("/login?user=$_[0]")->header('Set-Cookie') };

my ($ann, $bob) = map { $login->($_) } qw(ann bob);
like $ann, qr/^connect\.sid=/, 'a session';
is_deeply $ask->('/page', $ann), ['/page ann', 'PASS'], 'who has one gets their own page, though they ask first';
is_deeply $ask->('/page'), ['/page nobody', 'MISS'], 'who has none gets the page of nobody';
is_deeply $ask->('/page'), ['/page nobody', 'HIT'], '... from cache';
is_deeply $ask->('/page', $bob), ['/page bob', 'PASS'], '... and those who are logged in still get theirs';
is_deeply $ask->('/page', 'connect.sid=1'), ['/page nobody', 'PASS'], 'a session that nobody gave is the site\'s to judge';
my @ids = map { /connect\.sid=([^; ]*)/ } split /\n/, $t->read_file($t->dir . '/seen');
is_deeply [grep { length $_ < 20 && $_ ne '1' } @ids], [], 'Express saw its own ids and what a visitor sent, and no other';

done_testing;
