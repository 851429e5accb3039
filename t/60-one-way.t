# Pages are the same whoever renders them: a visitor's miss, nginx's refresh, larderd. For each configuration, the page is the same byte for
# byte, and so is the request to the site (t/lib/Larder/Test/OneWay.pm). Here: where locations lead.
use Larder::Test;
use Larder::Test::OneWay;

one_way(
    'plain' => {page => '/plain', conf => 'location /plain { proxy_pass http://@backend@; }'},
    'a path mapping' => {page => '/shop/item', conf => 'location /shop/ { proxy_pass http://@backend@/; }'},
    'reserved characters in a path' => {page => '/odd/a%2Fb+c%3F/%C3%A9', no_file => 1, conf => 'location /odd/ { proxy_pass http://@backend@; }'},
    'a second upstream' => {page => '/other/second', conf => 'location /other/ { proxy_pass http://@other@; }'},
    'an upstream behind a variable' => {
        page => '/variable/which',
        http => 'map $uri $site { default @backend@; ~^/variable/ @other@; }',
        conf => 'location /variable/ { proxy_pass http://$site; }',
    },
    'rewrite … break' => {
        page => '/wiki/A%2FB', no_file => 1,
        conf => 'location /wiki/ { rewrite ^/wiki/(.*)$ /index.php?title=$1 break; proxy_pass http://@backend@; }',
    },
    'rewrite … last' => {
        page => '/old/last?a=1',
        conf => 'location /old/ { rewrite ^/old(.*)$ /new$1 last; } location /new/ { proxy_pass http://@backend@; }',
    },
    'a rewrite by a header' => {
        page => '/phone/call', visitor => ['User-Agent' => 'iPhone'], alone => qr/led to "\/phone\/call".*larder_header user-agent/,
        conf => 'location /phone/ { if ($http_user_agent ~ iPhone) { rewrite ^/phone(.*)$ /mobile$1 break; } proxy_pass http://@backend@; }',
    },
    'an if with another upstream' => {
        page => '/beta/test', visitor => ['X-Beta' => 1], alone => qr/led to.*larder_header x-beta/,
        conf => 'location /beta/ { if ($http_x_beta) { proxy_pass http://@other@; } proxy_pass http://@backend@; }',
    },
    'a set by an if, in the key' => {
        page => '/device/kind', visitor => ['User-Agent' => 'iPhone'], alone => qr/larder_header user-agent/,
        conf => 'location /device/ { set $device desk; if ($http_user_agent ~ iPhone) { set $device phone; } larder_header X-Device value=$device;
            proxy_set_header X-Device $device; proxy_pass http://@backend@; }',
    },
    'a map of a header, in the key' => {
        page => '/mapped/agent', visitor => ['User-Agent' => 'iPhone'],
        http => 'map $http_user_agent $kind { default desk; ~iPhone phone; }',
        conf => 'location /mapped/ { larder_header User-Agent value=$kind; proxy_pass http://@backend@; }',
    },
    'try_files and a named location' => {
        page => '/app/named?a', conf => 'location /app/ { try_files $uri @app; } location @app { proxy_pass http://@backend@; }',
    },
    'a named location that alone is cached' => {
        page => '/uncached/alone', conf => 'location /uncached/ { larder off; try_files $uri @cached; } location @cached { larder main; proxy_pass http://@other@; }',
    },
    'a front controller' => {
        page => '/front/controlled',
        conf => 'location /front/ { try_files $uri /front.php?$args; } location = /front.php { proxy_set_header X-Uri $request_uri; proxy_pass http://@backend@; }',
    },
    'a front controller with the path in the query' => {
        page => '/drupal/node', conf => 'location /drupal/ { try_files $uri /drupal.php?q=$uri&$args; } location = /drupal.php { proxy_pass http://@backend@/index.php; }',
    },
    'index' => {
        page => '/indexed/', files => ['indexed/start.php'],
        conf => 'location = /indexed/ { index start.php; } location = /indexed/start.php { proxy_pass http://@backend@; }',
    },
    'a lifetime of the location, and a query' => {page => '/short/lived', conf => 'location /short/ { larder_valid 200 5m; larder_query drop utm_*; proxy_pass http://@backend@; }'},
    'a regular expression' => {page => '/re/word', conf => 'location ~ ^/re/(?<name>.+)$ { proxy_pass http://@backend@/render?page=$name; }'},
    'a server by its port' => {
        page => '/port/number', listen => 'second', url => 'http://www.example.com:@front_second.port@/port/number',
        http => 'server { listen @front_second@; server_name www.example.com; larder main; location / { proxy_pass http://@other@; } }',
    },
);
done_testing;
