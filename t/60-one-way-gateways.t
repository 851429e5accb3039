# Pages are the same whoever renders them (see t/60-one-way.t): upstreams other than HTTP over TCP, HTTP/2 clients, access rules.
use Larder::Test;
use Larder::Test::OneWay;

my $origin = 'location / { proxy_set_header Host $http_host; proxy_set_header X-Origin $server_name; proxy_pass http://@backend@; }';
one_way(
    'uwsgi' => {page => '/uwsgi/by-uwsgi', conf => 'location /uwsgi/ { include /etc/nginx/uwsgi_params; uwsgi_pass @uwsgi@; }'},
    'fastcgi' => {page => '/fastcgi/by-fastcgi', conf => 'location /fastcgi/ { include /etc/nginx/fastcgi_params; fastcgi_pass @uwsgi_fastcgi@; }'},
    'scgi' => {page => '/scgi/by-scgi', conf => 'location /scgi/ { include /etc/nginx/scgi_params; scgi_pass @uwsgi_scgi@; }'},
    'uwsgi, behind a named location' => {
        page => '/uwsgi-front/by-front', visitor => [Cookie => 'theme=dark; x=1'],
        conf => 'location /uwsgi-front/ { larder off; try_files $uri @wsgi; } location @wsgi { larder main; larder_cookie theme value; include /etc/nginx/uwsgi_params; uwsgi_pass @uwsgi@; }',
    },
    'an https upstream' => {
        page => '/tls/to-tls', http => "server { listen \@front_origin\@ ssl; server_name origin; $origin }",
        conf => 'location /tls/ { proxy_ssl_server_name on; proxy_pass https://@front_origin@; }',
    },
    'a Unix socket' => {
        page => '/unix/to-socket', http => "server { listen unix:\@dir\@/\@name\@.sock; server_name origin; $origin }",
        conf => 'location /unix/ { proxy_pass http://unix:@dir@/@name@.sock; }',
    },
    'HTTP/2' => {page => '/h2/page-by-tls', h2 => 1, url => 'https://www.example.com/h2/page-by-tls', conf => 'location /h2/ { proxy_pass http://@backend@; }'},
    'auth_request' => {
        page => '/auth/requested', conf => 'location /auth/ { auth_request /may; auth_request_set $plan $upstream_http_x_plan; proxy_pass http://@backend@; }
            location = /may { internal; larder off; if ($http_x_member) { return 401; } return 204; }',
    },
    'auth_request of members' => {
        page => '/members/only', visitor => ['X-Member' => 1], visitor_only => 1, closed => 1,
        conf => 'location /members/ { auth_request /may-member; proxy_pass http://@backend@; }
            location = /may-member { internal; larder off; if ($http_x_member) { return 204; } return 401; }',
    },
    'allow and deny' => {
        page => '/allow/insiders', closed => 1, conf => 'location /allow/ { allow 127.0.0.1; deny all; proxy_pass http://@backend@; }',
    },
    'geo' => {
        page => '/geo/place', url => undef, plain => qr/led to/, http => 'geo $inside { default 0; 127.0.0.0/8 1; }',
        conf => 'location /geo/ { if ($inside) { rewrite ^/geo(.*)$ /for-us$1 break; } proxy_pass http://@backend@; }',
    },
);
done_testing;
