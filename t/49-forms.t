# A form in a page that everybody shares: each visitor gets a token in Django's format, the page is rendered once, and Django
# accepts posts only with the visitor's own token.
use Larder::Test;

my $t   = Larder::Test->new;
my $key = '0123456789abcdef0123456789abcdef';
my $backend = $t->backend;
$t->uwsgi(site => 'django_site.py', env => {LARDER_KEY => $key});
$t->nginx(<<"CONF");
    larder_signing_key $key;
    larder_zone 8m;
    server {
        listen \@nginx\@;
        larder near;
        larder_esi auto;
        larder_esi_cookie name plan;
        larder_csrf on;
        larder_cookie_preset django;
        larder_language en de fr;
        include /etc/nginx/uwsgi_params;
        location / { uwsgi_pass \@uwsgi\@; }
        location /fake/ { larder_esi on; proxy_pass http://\@backend\@; }
        location /off/ { larder_esi on; larder_csrf off; proxy_pass http://\@backend\@; }
        location /own/ {
            larder_esi on;
            larder_csrf on cookie=xsrf domain=example.com path=/own/ secure=on samesite=Strict age=0;
            proxy_pass http://\@backend\@;
        }
    }
CONF
sub page { my ($cookie, $path) = @_; return $t->get($path || '/form/', headers => [$cookie ? (Cookie => $cookie) : ()]) }
sub token { return $_[0]->body =~ /name="csrfmiddlewaretoken" value="([a-zA-Z0-9]{64})"/ ? $1 : undef }
sub cookie { return map { /^([^;]+)/ } $_[0]->header('Set-Cookie') }
sub send_form {
    my ($cookie, $token, $who) = @_;
    my $r = $t->post('/take/', "who=$who&csrfmiddlewaretoken=$token",
        headers => [Cookie => $cookie, 'Content-Type' => 'application/x-www-form-urlencoded']);
    return $r->status == 200 ? $r->body : $r->status;
}

# Four new visitors: the first one causes the render.
my @visitors = map { page() } 1 .. 4;
is_deeply [map { $_->larder } @visitors], ['MISS', 'HIT', 'HIT', 'HIT'], 'the page with the form is rendered once';
my @cookies = map { join '; ', cookie($_) } @visitors;
my @tokens  = map { token($_) } @visitors;
is_deeply [grep { !/^csrftoken=[a-zA-Z0-9]{32}$/ } @cookies], [], 'each visitor without a cookie gets one';
is keys %{{map { $_ => 1 } @cookies}}, 4, '... of their own';
like $visitors[1]->header('Set-Cookie'), qr{^csrftoken=\w{32}; Max-Age=31449600; Path=/; SameSite=Lax$}, '... as Django sets it';
is_deeply [map { $_->header('Cache-Control') } @visitors], [('private, no-store') x 4], '... which no cache may keep';
is_deeply [map { send_form($cookies[$_], $tokens[$_], "visitor-$_") } 0 .. 3], [map { "taken from visitor-$_" } 0 .. 3],
    'Django takes the four forms';
is send_form($cookies[0], $tokens[1], 'thief'), 403, '... but none with the token of another';
is send_form($cookies[0], ('a' x 64), 'thief'), 403, '... nor with an invented one';
is send_form('', $tokens[0], 'thief'), 403, '... nor without the cookie';

my ($again, $third) = map { page($cookies[0]) } 1 .. 2;
is $again->larder, 'HIT', 'who has a cookie';
is_deeply [cookie($again)], [], '... keeps it';
isnt token($again), token($third), '... and gets another token each time';
is send_form($cookies[0], token($again), 'ann'), 'taken from ann', '... which is accepted as well';
is $again->header('Cache-Control'), 'private, no-cache', '... in a page for the visitor alone';
my $masked = 'csrftoken=' . token($again);
is send_form($masked, token(page($masked)), 'old'), 'taken from old', 'the longer cookie of older Djangos serves as well';
is send_form("csrftoken=x; $cookies[0]", token(page("csrftoken=x; $cookies[0]")), 'two'), 'taken from two',
    'of two cookies both take the last';
for my $bad ('x', 'a' x 33, 'a' x 31 . '%22', '"><script>' . 'a' x 22, 'a' x 65) {
    my $answer = page("csrftoken=$bad");
    unlike $answer->body, qr/script|%22/, "a malformed cookie ($bad) is not shown";
    like join('', cookie($answer)), qr/^csrftoken=\w{32}$/, '... and replaced';
}

# A login changes the secret. Reduced requests never show Django the cookie, so the login is a POST.
my $login = $t->post('/rotate/', "csrfmiddlewaretoken=$tokens[2]",
    headers => [Cookie => $cookies[2], 'Content-Type' => 'application/x-www-form-urlencoded']);
my ($rotated) = cookie($login);
like $rotated, qr/^csrftoken=/, 'a login changes the cookie';
isnt $rotated, $cookies[2], '... and changes the secret';
is send_form($rotated, token(page($rotated)), 'in'), 'taken from in', 'tokens are made from the new one';
is send_form($rotated, $tokens[2], 'in'), 403, '... and older ones are void';
like page()->body, qr/ render 1$/, 'all that from one render';

# Values of cookies in the same page.
my ($plan) = grep { /^plan=/ } cookie($t->get('/login/?user=ann&plan=gold'));
sub names { my ($cookie) = @_; page($cookie)->body =~ m{</form>(.*) render}; return $1 }
is names(), 'you, free', 'cookies that are not there: the defaults';
is names("name=Ann; $plan"), 'Ann, gold', '... if they are sent: their values';
is names('name=<b>; plan=gold:1r31eq:forged'), '&lt;b&gt;, free', '... escaped, and a forged one counts for nothing';

# Edge cases, with a backend that sends arbitrary answers.
my $form = '<esi:vars>[$csrf_token()]</esi:vars>';
$backend->set(
    (map { ("/$_/page" => {body => $form, headers => [['Cache-Control', 'public, max-age=60']]}) } qw(fake off own)),
    '/fake/kind' => {body => '<esi:include src="/fake/page"/>', headers => [['Cache-Control', 'public, max-age=60']]},
    '/fake/asks' => {body => '<esi:assign name="t" value="$csrf_token()"/><esi:include src="/fake/page"/>', headers => [['Cache-Control', 'public, max-age=60']]},
    '/fake/plain' => {body => 'plain', headers => [['Cache-Control', 'public, max-age=60']]},
);
is page('', '/off/page')->body, '[]', 'without larder_csrf there is no token';
is_deeply [cookie(page('', '/off/page'))], [], '... and no cookie';
like join('|', page('', '/own/page')->header('Set-Cookie')), qr{^xsrf=\w{32}; Domain=example.com; Path=/own/; SameSite=Strict; Secure$},
    'the cookie is as configured';
like page("csrftoken=" . 'a' x 32, '/fake/kind')->body, qr/^\[\w{64}\]$/, 'a fragment may hold the form';
is page('', '/fake/kind')->body, '[]', '... if the visitor has the cookie';
like page('', '/fake/asks')->body, qr/^\[\w{64}\]$/, '... or the page asks for one';
is page('', '/fake/plain')->header('Cache-Control'), 'public, max-age=60', 'other pages stay public';

done_testing;
