# nginx -t warns of configurations that are legal but known to cause trouble, and says what to write instead; it doesn't warn of
# others.
use Larder::Test;

my $t = Larder::Test->new;

# [the trouble, the warning, the http { } part, what to add or remove so that there is no warning]
my @cases = (
    ['a header that differs between visitors', qr{location "/": proxy_set_header X-User has \$remote_user, .*"larder_header X-User value=},
        'proxy_set_header X-User "name=${remote_user}"; larder near;', 'proxy_set_header X-Scheme $scheme; larder near;'],
    ['... by a certificate', qr{X-DN has \$ssl_client_s_dn}, 'proxy_set_header X-DN $ssl_client_s_dn; larder near;', 'proxy_set_header X-DN $ssl_client_s_dn;'],
    ['... by an address', qr{X-Visitor has \$remote_addr}, 'proxy_set_header X-Visitor $remote_addr; larder near;',
        'proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; larder near;'],
    ['... which may be in the key', qr{X-Visitor has \$remote_addr}, 'proxy_set_header X-Visitor $remote_addr; larder near;',
        'proxy_set_header X-Visitor $remote_addr; larder_header X-Visitor value=$remote_addr; larder near;'],
    ['a zone without room', qr{larder_max_size is more than a quarter of larder_zone: pages above 2048k are not kept}, 'larder_max_size 3m; larder near;', 'larder_max_size 2m; larder near;'],
    ['each hit compressed anew', qr{gzip compresses a kept page anew.*larder_encoding gzip}, 'gzip on; larder near;', 'gzip on; larder_encoding gzip; larder near;'],
    ['a session kept by value', qr{"sessionid" is the name of a session's cookie: .*presence, private or bypass in conf:1}, 'larder_cookie sessionid value; larder near;',
        'larder_cookie sessionid presence; larder_cookie lang value; larder near;'],
);
for my $case (@cases) {
    my ($name, $said, $wrong, $well) = @$case;
    my $http = sub { "larder_zone 8m; server { listen 127.0.0.1:80; location / { $_[0] proxy_pass http://127.0.0.1:1; } }\n" };
    my ($code, $text) = $t->nginx_test($http->($wrong));
    is $code, 0, "$name: accepted" or diag $text;
    like $text, qr/\[warn\] .*larder: .*$said/, '... with a warning';
    ($code, $text) = $t->nginx_test($http->($well));
    is $code, 0, '... and the other way' or diag $text;
    unlike $text, qr/larder: /, '... without one';
}
my ($code, $text) = $t->nginx_test('gzip on; larder near; server { location /a { } location /b { } }');
is scalar(() = $text =~ /gzip compresses/g), 1, 'what holds for all locations is said once';
done_testing;
