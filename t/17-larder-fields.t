# Fields that only Larder itself may send, such as a session's group, never reach a backend from a client: in no spelling that
# the site treats as the same field, by no protocol, in no kind of request.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $uwsgi   = $t->uwsgi;
$t->nginx(<<'CONF');
    underscores_in_headers on;
    ignore_invalid_headers off;
    larder_zone 4m;
    larder_signing_key 0123456789abcdef0123456789abcdef;
    include /etc/nginx/uwsgi_params;
    include /etc/nginx/fastcgi_params;
    include /etc/nginx/scgi_params;
    server {
        listen @nginx@;
        larder near;
        larder_group /group cookie=sid;
        location /http/    { proxy_pass http://@backend@; }
        location /uwsgi/   { uwsgi_pass @uwsgi@; }
        location /fastcgi/ { fastcgi_pass @uwsgi_fastcgi@; }
        location /scgi/    { scgi_pass @uwsgi_scgi@; }
        location /off/     { larder off; proxy_pass http://@backend@; }
        location /error/   { error_page 404 = /http/error; return 404; }
        location /auth/    { auth_request /asks; proxy_pass http://@backend@; }
        location = /asks   { larder off; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://@backend@; }
        location = /group  { internal; proxy_pass http://@backend@; }
    }
CONF
$backend->set('/*' => {echo => 1}, '/group' => {body => 'member'}, '/error/*' => {status => 404});

my @names  = ('Larder-Group', 'Larder_Group', 'LARDER-GROUP', 'larder_group', 'lArDeR_gRoUp', 'Larder.Group', 'Larder-Route', 'Larder_Route', 'Larder-', 'Larder_X');
my $n      = 0;
for my $place (qw(http uwsgi fastcgi scgi off error auth)) {
    for my $name (@names) {
        my $path = "/$place/" . ++$n;
        my @field = ($name => 'forged');
        my %told = (
            'a miss'              => $t->get($path,           headers => [@field]),
            'a session'           => $t->get("$path/session", headers => [@field, Cookie => 'sid=1']),
            'one that passes by'  => $t->get("$path/passes",  headers => [@field, Authorization => 'x', Cookie => 'sid=1']),
            'a form'              => $t->post("$path/form", 'x', headers => [@field, Cookie => 'sid=1']),
        );
        is_deeply [grep { $told{$_}->body =~ /forged/ } sort keys %told], [], "$name to /$place/ never arrives";
    }
}
is_deeply [grep { $_->{path} ne '/group' && join(' ', map { @$_ } @{$_->{headers}}) =~ /forged/ } $backend->log], [], 'nor do they arrive in requests that nginx makes for these';
like $t->post('/http/x', '', headers => ['X_Larder-Group' => 'passed on', 'Larders' => 'passed on'])->body, qr/"passed on".*"passed on"/s, 'other fields are passed on';

done_testing;
