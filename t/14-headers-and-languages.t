# Headers in the key: lists of values, classes of devices by nginx's map, languages; an absent header and an empty one differ.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    map $http_user_agent $device {
        default           desktop;
        ~*iphone|android  phone;
    }
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        location / {
            larder_header X-Device value=$device;
            larder_header X-Currency allow=eur,usd default=eur;
            larder_language en de fr;
            proxy_pass http://@backend@;
        }
        location /plain { larder_header X-Plain; proxy_pass http://@backend@; }
    }
CONF
$backend->set('/*' => {body => '{header:X-Device} {header:X-Currency} {header:Accept-Language} {header:User-Agent}'}, '/plain' => {echo => 1});
my $seen = sub { my $r = $t->get('/', headers => [@_]); [$r->body, $r->larder] };

is_deeply $seen->('User-Agent' => 'Mozilla (iPhone; 1)', 'X-Device' => 'toaster'), ['phone eur en ', 'MISS'], 'a class of devices, not what the client says it is';
is_deeply $seen->('User-Agent' => 'Mozilla (Android; 7)'), ['phone eur en ', 'HIT'], '... is shared by the class';
is_deeply $seen->('User-Agent' => 'curl', 'X-Currency' => 'usd'), ['desktop usd en ', 'MISS'], 'a value from the list';
is_deeply $seen->('User-Agent' => 'wget', 'X-Currency' => ' usd '), ['desktop usd en ', 'HIT'], '... whatever the spaces';
is_deeply $seen->('X-Currency' => 'doge'), ['desktop eur en ', 'MISS'], 'one that is not is the default';
is_deeply $seen->('Accept-Language' => 'de-CH, en;q=0.8'), ['desktop eur de ', 'MISS'], 'a language is negotiated';
is_deeply $seen->('Accept-Language' => 'sv, de-AT;q=0.9, fr;q=0.2'), ['desktop eur de ', 'HIT'], '... to one that the site has';
is_deeply $seen->('Accept-Language' => 'xx;q=broken,,'), ['desktop eur en ', 'HIT'], '... or its first';

# CVE-2026-113593: a cache that treats an empty header as absent.
my @plain = map { $t->get('/plain', headers => $_)->larder } [], ['X-Plain' => ''], [], ['X-Plain' => ''], ['X-Plain' => 'a'];
is_deeply \@plain, ['MISS', 'MISS', 'HIT', 'HIT', 'MISS'], 'a header that is absent and one that is empty are two';

# Several lines make one list (RFC 9110 section 5.3).
my $sees = sub { my $r = $t->get('/plain', headers => [@_]); my %h = map { lc $_->[0] => $_->[1] } @{JSON::PP::decode_json($r->body)->{headers}}; [$h{'x-plain'}, $r->larder] };
is_deeply $sees->('X-Plain' => 'a', 'X-Other' => 1, 'x-plain' => 'b', 'X-Plain' => 'c'), ['a, b, c', 'MISS'], 'a header in several lines reaches the site whole';
is_deeply $sees->('X-Plain' => 'a, b, c'), ['a, b, c', 'HIT'], '... and is the same as in one';
is_deeply $seen->('Accept-Language' => 'xx', 'accept-language' => 'fr'), ['desktop eur fr ', 'MISS'], '... also where it is negotiated';

# The charset of Content-Type is sent once.
for my $type ('text/html; Charset="UTF-8"', 'text/html; charset=utf-8', 'text/plain;CHARSET=ascii', 'text/css; x=y; charset=utf-8', 'text/html') {
    (my $path = "/plain/$type") =~ s/\W/-/g;
    $path =~ s/^-plain/\/plain/;
    $backend->set($path => {type => $type});
    is_deeply [map { $t->get($path)->header('Content-Type') } 1 .. 2], [($type) x 2], "a kept page has its type as it came: $type";
}

done_testing;
