# A refresh is like the visitor's miss: the configuration leads it by the visitor's own fields. If it is led elsewhere
# nonetheless, it stores nothing.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_refresh inline;
    larder_stale while=1h;
    map $http_accept $webp { default ""; ~image/webp .webp; }
    map $cookie_theme $theme { default light; dark dark; }
    geo $inside { default 0; 127.0.0.0/8 1; }
    server {
        listen @nginx@;
        larder near;
        location / {
            if ($http_user_agent ~ iPhone) { rewrite ^/(.*)$ /mobile/$1 last; }
            proxy_pass http://@backend@;
        }
        location /mobile/ { proxy_pass http://@backend@; }
        location /img/ { rewrite ^(?<p>.*)$ $p$webp break; proxy_pass http://@backend@; }
        location /secret/ { if ($http_x_country = XX) { rewrite ^ /blocked break; } proxy_pass http://@backend@; }
        location /themed/ { rewrite ^/themed(.*)$ /$theme$1 break; proxy_pass http://@backend@; }
        location /inside/ { if ($inside) { rewrite ^/inside(.*)$ /for-us$1 break; } proxy_pass http://@backend@; }
        location /refused/ { if ($http_x_token = "") { return 403; } proxy_pass http://@backend@; }
        location /once/ { if ($server_protocol = HTTP/1.0) { rewrite ^/once(.*)$ /visited$1 break; } proxy_pass http://@backend@; }
        location /device/ {
            set $device desktop;
            if ($http_user_agent ~ iPhone) { set $device phone; }
            larder_header X-Device value=$device;
            proxy_pass http://@backend@/$device$uri;
        }
    }
CONF
my %visitors = (
    '/page'       => [['User-Agent', 'an iPhone'], '/mobile/page'],
    '/img/a.jpg'  => [['Accept', 'image/webp'],    '/img/a.jpg.webp'],
    '/secret/a'   => [['X-Country', 'XX'],         '/blocked'],
    '/themed/a'   => [['Cookie', 'theme=dark'],    '/dark/a'],
    '/inside/a'   => [['X-Nothing', '1'],          '/for-us/a'],
    '/refused/a'  => [['X-Token', '1'],            '/refused/a'],
    '/device/a'   => [['User-Agent', 'an iPhone'], '/phone/device/a'],
);
my $headers = [['Cache-Control', 'max-age=0, stale-while-revalidate=3600']];
for my $path (sort keys %visitors) {
    my ($field, $led) = @{$visitors{$path}};
    $backend->set($led => {body => "old $led", headers => $headers});
    is $t->get($path, headers => $field)->body, "old $led", "$path: where $field->[0] leads";
    $backend->set($led => {body => "new $led", headers => $headers});
    is $t->get($path, headers => $field)->body, "old $led", '... is served stale';
    ok $t->await(sub { $t->get($path, headers => $field)->body eq "new $led" }, 'a refresh'), '... and made anew there';
}

my $at = '/visited/a';
$backend->set($at => {body => 'old', headers => $headers});
$backend->set('/once/a' => {body => 'another page', headers => $headers});
is $t->get("/once/a", version => "HTTP/1.0")->body, 'old', 'a page that our own requests are led away from';
$backend->set($at => {body => 'new', headers => $headers});
my $asked = $backend->count($at);
my %got;
ok $t->await(sub { $got{$t->get("/once/a", version => "HTTP/1.0")->body}++; $got{new} }, 'the new page'), '... a visitor makes the page anew';
is join(' ', sort keys %got), 'new old', '... and nobody gets another page';
is $backend->count('/once/a'), 0, '... and the page that they are led to was not requested';
like $t->{nginx}->error_log, qr/\[warn\].*led to "\/once\/a", not to where its visitors are/, '... which is in the log';
done_testing;
