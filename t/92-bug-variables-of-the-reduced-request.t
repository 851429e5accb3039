# Variables that nginx has computed from the full request and cached are computed again for the reduced request, so that the backend of a
# shared page learns nothing of the visitor. For the access log they have the values of the full request.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    log_format all '$request_uri|$http_user_agent|$cookie_who|$who|$kept';
    map $cookie_who $who { default $cookie_who; }
    map $who $greeting { default "hello $who"; }
    server {
        listen @nginx@;
        access_log @dir@/access.log all;
        set $kept "set";
        proxy_set_header X-Agent $http_user_agent;
        proxy_set_header X-Target $request_uri;
        proxy_set_header X-Who $cookie_who;
        proxy_set_header X-Map $who;
        proxy_set_header X-Maps $greeting;
        proxy_set_header X-Kept $kept;
        location / { larder near; proxy_pass http://@backend@; }
        location /seen/ {
            larder near;
            if ($http_user_agent$cookie_who$greeting$request_uri = "nobody") { return 403; }
            proxy_pass http://@backend@;
        }
        location /page { larder near; larder_esi on; proxy_pass http://@backend@; }
        location /part/ { larder near; proxy_pass http://@backend@; }
        location /mine/ { larder off; proxy_pass http://@backend@; }
    }
CONF
my @visitor = (headers => ['User-Agent' => 'Agent', Cookie => 'who=visitor']);

for my $path (qw(/unseen/page /seen/page)) {
    $backend->set($path => {echo => 1});
    my $answer = $t->get("$path?%62", @visitor);
    is $answer->larder, 'MISS', "$path: asked for a page to be shared";
    unlike $answer->body, qr/visitor|Agent"/, '... the backend sees nothing of the visitor' or diag $answer->body;
    like $answer->body, qr/"X-Kept", "set"/, '... but what the configuration set';
    my $line = quotemeta "$path?%62|Agent|visitor|visitor|set";
    ok $t->await(sub { $t->read_file($t->dir . '/access.log') =~ /^$line$/m }), '... and the log has what the visitor sent'
        or diag $t->read_file($t->dir . '/access.log');
}

# Fragments are rendered in parallel: shared ones don't see the visitor, personal ones do.
$backend->set(
    '/page' => {body => '<esi:include src="/part/a"/><esi:include src="/mine/b"/><esi:include src="/part/c"/>'},
    map { $_ => {body => "[$_ {header:X-Who} {header:X-Maps}]"} } qw(/part/a /mine/b /part/c));
is $t->get('/page', @visitor)->body, '[/part/a  hello][/mine/b visitor hello visitor][/part/c  hello]',
    'fragments, each with what is for it';
done_testing;
