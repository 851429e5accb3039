# A page depends on the client's URL and on where the configuration leads the request: front controllers and rewrites give each
# URL its own page, and conditions on the visitor give visitors different pages.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
mkdir $t->dir . '/www';
$t->file('www/index.php', '');
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1h;
    proxy_set_header Host $http_host;
    proxy_set_header X-Request-Uri $request_uri;
    proxy_set_header X-Uri $uri?$args;
    root @dir@/www;
    server {
        listen @nginx@;
        server_name site;
        larder_query drop utm_*;
        location / { try_files $uri $uri/ /index.php?$args; }
        location ~ \.php$ { larder near; proxy_pass http://@backend@; }
        location /drupal/ { try_files $uri /index.php?q=$uri&$args; }
        location /wiki/ { rewrite ^/wiki/(.*)$ /w/index.php; }
        location /title/ { rewrite ^/title/(.*)$ /w/index.php?title=$1; }
        location /app/ { larder near; if ($http_user_agent ~ Phone) { rewrite ^/app/(.*)$ /phone/$1; } proxy_pass http://@backend@; }
        location /phone/ { larder near; proxy_pass http://@backend@; }
        location /phone/secret { return 403; }
        location /inner/ { larder near; proxy_pass http://@backend@; }
        location = /merged { larder near; proxy_pass http://@backend@/other; }
        location = /larder_purge { larder_purge; }
    }
CONF
$backend->set('/*' => {echo => 1});
sub ask { my ($target, @more) = @_; return $t->get($target, headers => [Host => 'site', @more]) }
sub told { my ($answer, $name) = @_; my $r = JSON::PP::decode_json($answer->body); return (map { $$_[1] } grep { lc $$_[0] eq $name } @{$r->{headers}})[0] }
sub purge { $t->request(path => "/larder_purge?mode=hard&url=$_[0]", method => 'POST', body => '', headers => [Host => 'site']) }

for my $place ('', '/drupal', '/wiki', '/title') {
    my @pages = map { "$place/$_" } 'hello', 'world/', 'a%2Fb', 'Who%3F', 'hello?page=2';
    for my $page (@pages) {
        my $miss = ask($page);
        is $miss->larder, 'MISS', "$page: a miss";
        is told($miss, 'x-request-uri'), $page, '... of which the site sees what the client asked for';
        is ask($page)->larder, 'HIT', '... then a hit';
        is told(ask("$page" . ($page =~ /\?/ ? '&' : '?') . 'utm_source=x'), 'x-request-uri'), $page, '... whatever larder_query drops';
    }
    purge($pages[0]);
    is_deeply [map { ask($_)->larder } @pages], ['MISS', 'HIT', 'HIT', 'HIT', 'MISS'], "$place: a purge by URL drops its pages, of all queries";
}
is told(ask('/title/x?a=1&utm_source=y'), 'x-uri'), '/w/index.php?title=x&a=1', 'the query that a rewrite made is the site\'s';
is told(ask('/index.php'), 'x-request-uri'), '/index.php', 'the front controller itself is a page';
purge('/w/index.php');
is ask('/wiki/world/')->larder, 'HIT', '... and a purge of another page leaves it';

# A rewrite that depends on the visitor.
like told(ask('/app/x', 'User-Agent' => 'Phone'), 'x-uri'), qr{^/phone/x}, 'a phone is led to its own page';
like told(ask('/app/x', 'User-Agent' => 'Other'), 'x-uri'), qr{^/app/x}, '... others are not';
is ask('/app/x', 'User-Agent' => $_)->larder, 'HIT', "... and $_ finds its own" for 'Phone', 'Other';
is ask('/phone/x')->larder, 'MISS', '... and that is not what /phone/x is';
purge('/app/x');
is ask('/app/x', 'User-Agent' => $_)->larder, 'MISS', "a purge is of both: $_" for 'Phone', 'Other';

# nginx merges slashes before it removes dot segments, RFC 3986 does not: so the path alone does not determine the location.
is ask('/inner//../merged')->larder, 'MISS', 'a path that nginx takes for another one';
is ask('/inner/merged')->larder, 'MISS', '... is not the page of the path that RFC 3986 makes of it';

done_testing;
