# Pages are the same whoever renders them (see t/60-one-way.t): the request to the site, and the processing of its answer.
use Larder::Test;
use Larder::Test::OneWay;

my $esi = ['Surrogate-Control', 'content="ESI/1.0"'];
one_way(
    'proxy_set_header of all kinds' => {
        page => '/set/all-fields', visitor_only => 1,
        conf => 'location /set/ { proxy_set_header Host $http_host; proxy_set_header X-Host $host; proxy_set_header X-Scheme $scheme; proxy_set_header X-Uri $request_uri;
            proxy_set_header X-Path $uri; proxy_set_header X-Method $request_method; proxy_set_header X-Agent $http_user_agent; proxy_set_header X-Length $content_length;
            proxy_set_header X-Server $server_name; proxy_set_header X-Args $args; proxy_set_header X-Accept $http_accept; proxy_set_header X-Cookie $cookie_theme;
            proxy_set_header X-Protocol $server_protocol; proxy_set_header X-Ssl $https; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://@backend@; }',
        visitor => ['User-Agent' => 'Mozilla', Accept => 'text/html', Cookie => 'theme=dark'],
    },
    'X-Forwarded-Proto behind a balancer' => {
        page => '/proto/secure', visitor => ['X-Forwarded-Proto' => 'https'], conf => 'location /proto/ { proxy_pass http://@backend@; }',
    },
    'a header in the key' => {
        page => '/key/country', visitor => ['X-Country' => 'NZ'], conf => 'location /key/ { larder_header X-Country; proxy_pass http://@backend@; }',
    },
    'languages' => {
        page => '/lang/spoken', visitor => ['Accept-Language' => 'fr;q=0.9, de'], conf => 'location /lang/ { larder_language en de fr; proxy_pass http://@backend@; }',
    },
    'encodings' => {
        page => '/coded/page-of-words', visitor => ['Accept-Encoding' => 'gzip'], site => {'/coded/page-of-words' => {gzip => 'asked', body => 'words ' x 200}},
        conf => 'location /coded/ { larder_encoding gzip; proxy_pass http://@backend@; }',
    },
    'a coding that nobody undoes' => {
        page => '/odd/in-a-coding', visitor => ['Accept-Encoding' => 'gzip, odd'], visitor_only => 1, url => undef,
        site => {'/odd/in-a-coding' => {body => "\0odd\xff" x 20, headers => [['Content-Encoding', 'odd']]}},
        before => sub { $_[0]->get('/odd/in-a-coding', headers => [Host => 'www.example.com', 'Accept-Encoding' => 'odd']) },  # makes it known that the page varies
        conf => 'location /odd/ { proxy_pass http://@backend@; }',
    },
    'Vary in the key' => {
        page => '/vary/device', visitor => ['X-Device' => 'phone'], site => {'/vary/device' => {echo => 1, headers => [['Vary', 'X-Device']]}},
        conf => 'location /vary/ { larder_vary key; proxy_pass http://@backend@; }',
    },
    'a cookie by value' => {page => '/cookie/value', visitor => [Cookie => 'theme=dark; x=1'], conf => 'location /cookie/value { larder_cookie theme value; proxy_pass http://@backend@; }'},
    'a cookie by value, with a default' => {
        page => '/cookie/default', visitor => [Cookie => 'lang=de'],
        conf => 'location /cookie/default { larder_cookie lang value allow=de,fr default=en; proxy_pass http://@backend@; }',
    },
    'a cookie that is private' => {
        page => '/cookie/private', visitor => [Cookie => 'sid=s3cret'], own => 1,
        conf => 'location /cookie/private { larder_cookie sid private; proxy_pass http://@backend@; }',
    },
    'sub_filter' => {
        page => '/sub/filtered', site => {'/sub/filtered' => {body => 'a word'}}, file => 'a word',
        conf => 'location /sub/ { sub_filter word text; proxy_pass http://@backend@; }',
    },
    'ESI' => {
        page => '/esi/template', site => {'/esi/template' => {body => 'a<esi:include src="/esi/template-part"/>b', headers => [$esi]}},
        conf => 'location /esi/ { larder_esi auto; proxy_pass http://@backend@; }',
    },
    'tags' => {page => '/tag/marked', site => {'/tag/marked' => {echo => 1, headers => [['xkey', 'a b']]}}, conf => 'location /tag/ { proxy_pass http://@backend@; }'},
    'validators' => {
        page => '/etag/valid', site => {'/etag/valid' => {echo => 1, etag => '"v1"'}}, fields => ['if-none-match'],
        conf => 'location /etag/ { proxy_pass http://@backend@; }',
    },
    'a POST before' => {
        page => '/post/written', before => sub { $_[0]->post('/post/written', 'a=1', headers => [Host => 'www.example.com', 'Content-Type' => 'text/plain']) },
        conf => 'location /post/ { proxy_pass http://@backend@; }',
    },
    'a group of sessions' => {
        page => '/group/staffed', visitor => [Cookie => 'sid=s1'], site => {'/which-group' => {body => 'staff'}},
        conf => 'location /group/ { larder_group /which-group cookie=sid valid=60s; proxy_pass http://@backend@; } location = /which-group { internal; proxy_pass http://@backend@; }',
    },
    # The visitors of these tests are not limited. Requests without a visitor are limited to one per minute.
    'limit_req and limit_conn' => {
        page => '/limited/rate',
        http => 'map $remote_addr $limited { default nobody; 127.0.0.1 ""; } limit_req_zone $limited zone=rate:1m rate=1r/m; limit_conn_zone $limited zone=connections:1m;',
        conf => 'location /limited/ { limit_req zone=rate; limit_conn connections 1; proxy_pass http://@backend@; }',
    },
    'the address of who asks' => {
        page => '/address/told', fields => ['x-real-ip', 'x-forwarded-for'], site => {'/address/told' => {body => 'a page'}},
        conf => 'location /address/ { proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_pass http://@backend@; }',
    },
    'an error_page that is not needed' => {
        page => '/errors/none',
        conf => 'location /errors/ { error_page 404 = /fallback; proxy_intercept_errors on; proxy_pass http://@backend@; } location /fallback { proxy_pass http://@other@; }',
    },
);
done_testing;
