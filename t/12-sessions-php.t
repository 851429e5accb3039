# PHP's own sessions. PHP opens a session with any id that it receives, so it must receive only ids that it has issued, or that
# the visitor made up. Visitors with a session get their own pages, with one render each; others get pages from cache.
use Larder::Test;

my $t = Larder::Test->new;
$t->php('sessions.php');
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_valid 1m;
    fastcgi_param SCRIPT_FILENAME @dir@/php/sessions.php;
    include /etc/nginx/fastcgi_params;
    server { listen @nginx@;  location / { larder near; larder_cookie PHPSESSID presence; fastcgi_pass @php@; } }
    server { listen @preset@; location / { larder near; larder_cookie_preset php; fastcgi_pass @php@; } }
CONF
my $seen = sub { [split /\n/, -e $t->dir . '/php/seen' ? $t->read_file($t->dir . '/php/seen') : ''] };

for my $server (qw(nginx preset)) {
    my $ask = sub { my ($path, $cookie) = @_; $t->get($path, server => $server, headers => [$cookie ? (Cookie => $cookie) : ()]) };
    my $id = sub { join '; ', map { /^(PHPSESSID=[^;]+)/ } $_[0]->header('Set-Cookie') };
    my $shows = sub { my $r = $ask->(@_); [$r->body, $r->larder] };

    # The attack: a replacement for a session id would be a session that others can join.
    my $victim = $id->($ask->('/always'));
    like $victim, qr/^PHPSESSID=\w{20,}$/, "$server: PHP gives a visitor a session";
    is $ask->('/login?user=victim', $victim)->body, 'welcome victim', '... who follows a link that logs in';
    is $ask->('/always', $victim)->body, 'always victim', '... and is logged in';
    is_deeply [map { $ask->('/always', "PHPSESSID=$_")->body } qw(1 0 a session)], [('always nobody') x 4], 'nobody else is the victim';
    is_deeply [map { $shows->('/quiet', "PHPSESSID=$_")->[0] } qw(1 0)], [('/quiet nobody') x 2], '... on no page';

    # A site that sends no fields about caching.
    my $bob = $id->($ask->('/login?user=bob'));
    is_deeply $shows->('/page'), ['/page nobody', 'MISS'], 'a page for who has no session';
    is_deeply $shows->('/page', 'other=1'), ['/page nobody', 'HIT'], '... is from cache';
    is_deeply $shows->('/page', $victim), ['/page victim', 'PASS'], '... but not for who has one';
    is_deeply $shows->('/page', $bob), ['/page bob', 'PASS'], '... nor another';
    is_deeply $shows->('/page'), ['/page nobody', 'HIT'], '... and theirs are nobody else\'s';
    like $ask->('/page', $bob)->header('Cache-Status'), qr/fwd=bypass; detail=session/, 'Cache-Status says why';

    my $before = @{$seen->()};
    $ask->("/new$_", $bob) for 1 .. 5;
    is @{$seen->()} - $before, 5, 'with a session each request is one render';
    is $ask->('/logout', $bob)->body, 'bye', 'who logs out';
    is_deeply $shows->('/page'), ['/page nobody', 'HIT'], '... is like all others again';
}
my %made = map { $_ => 1 } map { /PHPSESSID=([^; ]*)/ } @{$seen->()};
is_deeply [grep { length != 26 && length != 32 } sort keys %made], ['0', '1', 'a', 'session'], 'PHP saw its own ids, and those that an attacker sent, and no other';

done_testing;
