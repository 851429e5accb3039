# The addresses at which larderd calls nginx: that of the visitor's request, also with TLS; another one if that fails; and if all fail,
# nginx refreshes its pages itself.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
my ($key, $cert) = map { $t->dir . "/$_.pem" } qw(key cert);
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=example.com', '-addext',
    'subjectAltName=DNS:example.com', '-days', 2, '-keyout', $key, '-out', $cert, '-batch') == 0 or die 'openssl';
my $http = <<'CONF';
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s RENDER;
    ssl_certificate @dir@/cert.pem;
    ssl_certificate_key @dir@/key.pem;
    server {
        listen @nginx@;
        listen @tls@ ssl;
        listen @proxied@ proxy_protocol;
        server_name example.com;
        larder main;
        location / { proxy_pass http://@backend@; proxy_set_header Host $host; }
        location = /larder_status { larder_status; }
    }
CONF
my $nginx   = $t->nginx($http =~ s/RENDER//r);
my $trusted = $t->larderd(Larder::Test::Daemon->toml =~ s/urls = .*/urls = []/r, env => {SSL_CERT_FILE => $cert});
my $expired = [['Cache-Control', 'max-age=0, stale-while-revalidate=3600']];
$backend->set('/*' => {headers => $expired, body => '{n}'});
my %asks = (
    plain   => sub { $t->get($_[0], headers => [Host => 'example.com'])->body },
    tls     => sub { ($t->run_command(['curl', '-sk', '--resolve', 'example.com:' . $t->port('tls') . ':127.0.0.1', 'https://example.com:' . $t->port('tls') . $_[0]]))[1] },
    proxied => sub { ($t->run_command(['curl', '-s', '--haproxy-protocol', '-H', 'Host: example.com', 'http://' . $t->address('proxied') . $_[0]]))[1] },
);
my $calls = sub { $nginx->counters->{render_calls} };
my $anew = sub {
    my ($how, $path, $why) = @_;
    $asks{$how}->($path);
    ok $t->await(sub { $asks{$how}->($path) ne '1' }, 'a new page', 20), $why;
};
for my $how (qw(plain tls)) {
    my $before = $calls->();
    $anew->($how, "/$how", "visitors by $how: the page is made anew");
    cmp_ok $calls->(), '>', $before, '... by a call of larderd';
}
$anew->('proxied', '/proxied', 'where no call gets through, nginx makes the page');
my $before = $calls->();
$t->{nginx}->reload($http =~ s/RENDER/'render=http:\/\/' . $t->address('nginx')/er);
$anew->('proxied', '/proxied-too', 'with render= it is made anew');
cmp_ok $calls->(), '>', $before, '... by a call of larderd';

# A larderd that doesn't trust the certificate.
$trusted->stop;
$trusted->{expected_death} = 1;
my $d = Larder::Test::Daemon->start($t, name => 'second', more => '', backend => undef);
$t->{nginx}->reload($http =~ s/RENDER//r);
$anew->('tls', '/untrusted', 'a certificate that larderd does not trust: another address, or nginx, makes the page');
done_testing;
