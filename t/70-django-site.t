# An unchanged Django site with sessions, languages, groups and signed cookies is cached, and everybody sees their own pages.
use Larder::Test;

my $t   = Larder::Test->new;
my $key = '0123456789abcdef0123456789abcdef';
$t->uwsgi(site => 'django_site.py', env => {LARDER_KEY => $key});
$t->nginx(<<"CONF");
    larder_signing_key $key;
    larder_zone 8m;
    server {
        listen \@nginx\@;
        larder near;
        larder_cookie_preset django;
        larder_cookie ab bucket=2;
        larder_language en de fr;
        include /etc/nginx/uwsgi_params;
        location / { uwsgi_pass \@uwsgi\@; }
        location /me/ { larder_cookie sessionid private; uwsgi_pass \@uwsgi\@; }
        location /plan/ { larder_cookie plan signed; uwsgi_pass \@uwsgi\@; }
    }
CONF

# The cookies that a browser keeps of Set-Cookie.
sub login {
    my $answer = $t->get('/login/?user=' . $_[0] . '&plan=' . ($_[1] || 'free'));
    return join '; ', map { /^([^;]+)/ } $answer->header('Set-Cookie');
}
my $ask = sub { my ($path, $cookie, @more) = @_; my $r = $t->get($path, headers => [$cookie ? (Cookie => $cookie) : (), @more]); [$r->body, $r->larder] };
my ($ann, $bob, $eve) = (login('ann', 'gold'), login('bob', 'gold'), login('eve'));
like $ann, qr/sessionid=\S+/, 'logging in sets cookies';

is_deeply $ask->('/known/'), ['anonymous render 1', 'MISS'], 'a page for the anonymous';
is_deeply $ask->('/known/', 'csrftoken=abc; _ga=1'), ['anonymous render 1', 'HIT'], '... whatever cookies they have';
is_deeply $ask->('/known/', $ann), ['known render 2', 'PASS'], '... and one from the site for who is logged in, in one render';
is_deeply $ask->('/known/', $bob), ['known render 3', 'PASS'], '... each their own';
is_deeply $ask->('/known/', 'sessionid='), ['anonymous render 1', 'HIT'], '... which an empty cookie does not say';

is_deeply $ask->('/me/', $ann), ['page of ann render 1', 'MISS'], 'a private page';
is_deeply $ask->('/me/', $ann), ['page of ann render 1', 'HIT'], '... is kept for its person';
is_deeply $ask->('/me/', $bob), ['page of bob render 2', 'MISS'], '... alone';
is_deeply $ask->('/me/'), ['page of nobody render 3', 'MISS'], '... and not for who has logged out';

is_deeply $ask->('/plan/', $ann), ['plan gold render 1', 'MISS'], 'a signed cookie: the site reads what nginx signed anew';
is_deeply $ask->('/plan/', $bob), ['plan gold render 1', 'HIT'], '... and all with one value share';
is_deeply $ask->('/plan/', $eve), ['plan free render 2', 'MISS'], '... but not those with another';
is_deeply $ask->('/plan/', 'plan=gold:1r31eq:forged'), ['plan none render 3', 'MISS'], '... and a forged one counts for nothing';

is_deeply $ask->('/language/', undef, 'Accept-Language' => 'de-AT, en;q=0.5'), ['in de render 1', 'MISS'], 'a language';
is_deeply $ask->('/language/', undef, 'Accept-Language' => 'de'), ['in de render 1', 'HIT'], '... is shared';
is_deeply $ask->('/language/', undef, 'Accept-Language' => 'sv'), ['in en render 2', 'MISS'], '... and one the site lacks is its first';

my %groups = map { ($ask->('/group/', "ab=visitor-$_")->[0] => 1) } 1 .. 12;
is scalar(keys %groups), 2, 'two groups of visitors, two renders';

is $t->get('/known/', headers => [Cookie => 'messages=W10'])->larder, 'BYPASS', 'messages are shown once, and to one';

done_testing;
