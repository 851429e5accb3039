# A page sees the values of the cookies that larder_esi_cookie names, complete and no more, however the others are written.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 4m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        larder_esi_cookie theme lang;
        location / { proxy_pass http://@backend@; }
    }
CONF
$backend->set('/' => {body => '<esi:vars>[$(HTTP_COOKIE{theme})][$(HTTP_COOKIE{lang})][$(HTTP_COOKIE{sid})]</esi:vars>'});

for my $case (
    ['theme=dark; sid=secret'         => '[dark][][]'],
    ['sid=secret; theme=dark'         => '[dark][][]'],
    ['theme=dark;sid=secret;lang=de'  => '[dark][de][]'],
    ['sid=secret,theme=dark; lang=de' => '[][de][]'],
    ['theme=a,lang=b; sid=secret'     => '[a,lang=b][][]'],
    ['theme=dark; theme=light'        => '[dark][][]'],
    ['THEME=dark; lang=de'            => '[][de][]'],
    ['xtheme=dark; lang=de'           => '[][de][]'],
    ['theme; lang=de'                 => '[][de][]'],
    ['sid=theme=dark'                 => '[][][]'],
) {
    is $t->get('/', headers => [Cookie => $case->[0]])->body, $case->[1], $case->[0];
}
my ($two) = $t->raw("GET / HTTP/1.1\r\nHost: x\r\nCookie: theme=dark\r\nCookie: sid=secret; lang=de\r\nConnection: close\r\n\r\n") =~ /(\[.*\])/;
is $two, '[dark][de][]', 'two fields';

done_testing;
