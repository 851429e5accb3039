# Web cache deception: a victim is lured to an address of their account that looks like a file. Whoever asks for it next gets
# nothing of theirs. The name of a page decides nothing: stored pages are made without the victim's cookies, and pages made with
# them are not stored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    proxy_set_header Host $http_host;
    server {
        listen @nginx@;
        larder near;
        # What makes other caches vulnerable: files are stored for long, whatever the answer says.
        location ~* \.(css|js|png|ico|txt|json|woff2?)$ { larder_valid any 1h override; proxy_pass http://@backend@; }
        location / { larder_valid any 1h; proxy_pass http://@backend@; }
        location /presence/ { larder_valid any 1h override; larder_cookie sessionid presence; proxy_pass http://@backend@; }
        location /private/  { larder_valid any 1h override; larder_cookie sessionid private; proxy_pass http://@backend@; }
        location /static/   { larder_valid any 1h override; larder_query none; proxy_pass http://@backend@; }
    }
CONF
# A site that ignores the rest of a path or path parameters and shows the account, as frameworks do.
my %page = (body => 'account of {cookie:sessionid}');
my %says = (
    'nothing'    => {%page},
    'public'     => {%page, headers => [['Cache-Control', 'public, max-age=600']]},
    'private'    => {%page, headers => [['Cache-Control', 'private, no-store']]},
    'Set-Cookie' => {%page, headers => [['Cache-Control', 'max-age=600'], ['Set-Cookie', 'sessionid={cookie:sessionid}; HttpOnly']]},
    'Vary'       => {%page, headers => [['Cache-Control', 'max-age=600'], ['Vary', 'Cookie']]},
    'an image'   => {%page, type => 'image/png'},
    'an error'   => {%page, status => 404},
    'a redirect' => {%page, status => 302, headers => [['Location', '/account?token={cookie:sessionid}']]},
);
my @account = ('/account', '/private/account', '/presence/account', '/static/../account');
my @lure    = ('', '/x.css', '/x.js', '/x.png', '/x.woff2', '/X.CSS', '/%78.css', ';x.css', ';/x.css', '%3bx.css', '%3Bx.css', '%2fx.css', '%2Fx.css', '%252fx.css',
    '%5cx.css', '\\x.css', '%3fx.css', '%3Fx.css', '%253fx.css', '?x.css', '?.css', '%23x.css', '#x.css', '%0ax.css', '%0d%0ax.css', '%09x.css', '%20x.css', '+x.css',
    '%00x.css', '%2500x.css', '%01x.css', '%7fx.css', '%ffx.css', '%c0%afx.css', '%ef%bc%8fx.css', '.css', '.css.', '.', './x.css', '/./x.css', '/.', '/..;/x.css',
    '/../account/x.css', '/%2e%2e/account/x.css', '/..%2faccount/x.css', '/%2e%2e%2faccount.css', '/..%5caccount.css', '//x.css', '/x.css/', '/x.css?a=1', '/x.css;a', '~x.css',
    '@x.css', '!x.css', '$x.css', '&x.css', ',x.css', '=x.css', ':x.css', '|x.css', '^x.css', '"x.css', '<x.css', '{x.css', '/favicon.ico', '/robots.txt', '/static/x.css', '/static/..%2fx.css');
my $reached = 0;

for my $says (sort keys %says) {
    $backend->set('/*' => $says{$says});
    my (@leaks, $victims);
    for my $account (@account) {
        for my $lure (@lure) {
            # Each case has a site and an address of its own, told apart by the host.
            my $request = sub { "GET $account$lure HTTP/1.1\r\nHost: " . unpack('H*', "$says") . "\r\n$_[0]Connection: close\r\n\r\n" };
            my $victim  = $t->{nginx}->raw($request->("Cookie: sessionid=hunter2; theme=dark\r\nAccept: text/html\r\n"), 0.5);
            $victims++ if $victim =~ m{^HTTP/1.1 [234]} && $victim =~ /account of hunter2/;
            for my $attacker ('', "Cookie: sessionid=mine\r\n", "Accept: text/css\r\n", "Cookie: sessionid=\r\n") {
                my $got = $t->{nginx}->raw($request->($attacker), 0.5);
                push @leaks, "$account$lure" if $got =~ /hunter2/;
            }
        }
    }
    is_deeply \@leaks, [], "a site whose account says $says: nobody gets another's";
    $reached += $victims;
}
cmp_ok $reached, '>', 200, '... while the victims do get theirs, where the site says that it is theirs' or diag $reached;

done_testing;
