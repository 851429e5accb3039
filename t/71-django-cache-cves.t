# The vulnerabilities of Django's cache middleware of 2026, tested on Larder in front of a Django site.
use Larder::Test;

my $t   = Larder::Test->new;
my $key = '0123456789abcdef0123456789abcdef';
$t->uwsgi(site => 'django_site.py', env => {LARDER_KEY => $key});
$t->nginx(<<"CONF");
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen \@nginx\@;
        larder near;
        larder_vary key;
        larder_cookie_preset django;
        larder_header X-Plain;
        include /etc/nginx/uwsgi_params;
        location / { uwsgi_pass \@uwsgi\@; }
    }
CONF
my $n = 0;
# The answers to two visitors with these headers, one after the other, each twice.
sub seen {
    my ($headers, $first, $second, $more) = @_;
    my $path = '/answer/?' . join '&', 'n=' . ++$n, map({ "h=$_" } @$headers), $more || ();
    return join ' ', map { my $visitor = $_; map { $t->get($path, headers => $visitor)->larder eq 'HIT' ? 'kept' : 'asked' } 1 .. 2 } $first, $second || $first;
}
my $cc = 'Cache-Control:max-age%3D60';
is seen([$cc], []), 'asked kept kept kept', 'a plain page is kept and shared';
is seen([$cc, 'Vary:*'], []), 'asked asked asked asked', 'CVE-2026-6907: Vary: * is not kept';
is seen(["Cache-Control:$_"], []), 'asked asked asked asked', "CVE-2026-8404: $_, whatever the case" for 'NO-STORE', 'No-Store,max-age%3D60', 'PRIVATE,MAX-AGE%3D60';
is seen([$cc, 'Vary:%20X-A%20,%09X-B%20'], ['X-B' => 1], ['X-B' => 2]), 'asked kept asked kept', 'CVE-2026-48587: white space around names in Vary';
is seen([$cc], [Cookie => 'unrelated=1'], [Cookie => 'unrelated=2'], 'session=1'), 'asked asked asked asked', 'CVE-2026-48588: a cookie set under Vary: Cookie, whatever cookies came';
is seen([$cc], [], ['X-Plain' => '']), 'asked kept asked kept', 'CVE-2026-113593: absent and empty are not the same';
is seen([$cc, 'Set-Cookie:sessionid%3Dsecret'], []), 'asked asked asked asked', 'CVE-2026-35192: a session handed out without Vary';
is seen(['Cache-Control:private%3D%22Set-Cookie%22,max-age%3D60'], []), 'asked asked asked asked', 'qualified private counts as private';
is seen([$cc], [Authorization => 'Basic YTpi']), 'asked asked asked asked', 'nothing of a request with Authorization is kept';

done_testing;
