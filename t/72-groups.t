# Pages keyed by the group of the visitor's session. nginx asks the site once per session for the group; a logout ends it.
use Larder::Test;

my $t   = Larder::Test->new;
my $key = '0123456789abcdef0123456789abcdef';
my $redis = $t->redis;
$t->uwsgi(site => 'django_site.py', env => {LARDER_KEY => $key});
my $conf = sub {
    my ($name) = @_;
    return <<"CONF";
    larder_signing_key $key;
    larder_zone 8m;
    larder_store main redis://\@redis\@ timeout=5s;
    larder_daemon redis://\@redis\@ timeout=5s;
    log_format groups '\$uri [\$larder_group] \$larder_status';
    server {
        listen \@$name\@;
        access_log \@dir\@/$name-access.log groups;
        larder main;
        larder_cookie_preset django;
        larder_language en;
        larder_group /groups/ cookie=sessionid valid=1h timeout=30s;
        include /etc/nginx/uwsgi_params;
        location / { uwsgi_pass \@uwsgi\@; }
        location = /groups/ { internal; uwsgi_pass \@uwsgi\@; }
        location = /asked/  { larder off; uwsgi_pass \@uwsgi\@; }
        location = /logout/ { larder off; uwsgi_pass \@uwsgi\@; }
    }
    server {
        listen \@larderd_$name\@;
        include /etc/nginx/uwsgi_params;
        location / { larder off trust; uwsgi_pass \@uwsgi\@; }
    }
CONF
};
$t->nginx($conf->('nginx'));
$t->nginx($conf->('other'), name => 'other');

my $login = sub { join '; ', map { /^([^;]+)/ } $t->get("/login/?user=$_[0]")->header('Set-Cookie') };
my $ask   = sub {
    my ($cookie, %o) = @_;
    my $r = $t->get('/article/', headers => [Host => 'a.example', $cookie ? (Cookie => $cookie) : ()], %o);
    return [$r->body, $r->larder];
};
my $asked = sub { $t->get('/asked/')->body };
my $promote = sub { my ($role, $cookie, $user) = @_; $t->post("/promote/?role=$role" . ($user ? "&user=$user" : ''), '', headers => [Cookie => $cookie]) };

my ($ann, $bob, $eve) = map { $login->($_) } qw(ann bob eve);
$promote->('editor', '', 'eve');
is_deeply $ask->(), ['article for nobody render 1', 'MISS'], 'a page for who has no session';
is $asked->(), 0, '... for whom no group is asked';
is_deeply $ask->($ann), ['article for reader render 2', 'MISS'], 'one for the first of a group';
is_deeply $ask->($bob), ['article for reader render 2', 'HIT'], '... shared by the others';
is_deeply $ask->($eve), ['article for editor render 3', 'MISS'], '... but not by another group';
$ask->($_) for ($ann, $bob, $eve) x 3;
is $asked->(), 3, 'each session was asked about once';
is_deeply $ask->('sessionid=forged'), ['article for nobody render 1', 'HIT'], 'a session that the site does not know is none';
is_deeply [@{$t->get('/article/', headers => [Host => 'a.example', 'Larder-Group' => 'editor'])}{qw(body)}], ['article for nobody render 1'], 'nobody can claim a group';
is $t->get('/groups/')->status, 404, '... nor ask about one';

$promote->('editor', $ann);
is_deeply $ask->($ann), ['article for editor render 3', 'HIT'], 'what a session does may change its group: it is asked anew';
is_deeply $ask->($bob, server => 'other'), ['article for reader render 2', 'HIT'], 'another machine asks for itself';
is_deeply $ask->($eve, server => 'other'), ['article for editor render 3', 'HIT'], '... about each';

my $before = $asked->();
my $bye = $t->get('/logout/', headers => [Cookie => $eve]);
like $bye->header('Set-Cookie'), qr/sessionid=""/, 'logging out by GET, where nothing is cached, deletes the cookie';
is_deeply $ask->($eve), ['article for nobody render 1', 'HIT'], '... and the group goes with the session';
ok $t->await(sub { $ask->($eve, server => 'other')->[0] =~ /nobody/ }), '... on all machines';
is_deeply $ask->($bob), ['article for reader render 2', 'HIT'], '... of nobody else';

# larderd regenerates pages of a group without a session.
$t->larderd(<<'TOML', ready => sub { $redis->cli('EXISTS', 'larder:{queue}alive') eq '1' });
    [api]
    token = "0123456789abcdef"
    listen = "unix:@dir@/api.sock"
    [queue]
    url = "redis://@redis@"
    [[store]]
    name = "main"
    url = "redis://@redis@"
    [[backend]]
    name = "site"
    hosts = ["*"]
    url = "http://@larderd_nginx@"
TOML
my $stale = sub { my $r = $t->get('/article/?stale', headers => [Cookie => $_[0]]); [$r->body, $r->larder] };
$stale->($bob);
is $stale->($bob)->[1], 'STALE', 'a stale page of a group';
ok $t->await(sub { $stale->($bob)->[0] =~ /^article for reader render (?:[89]|\d\d)/ }), '... is made anew by larderd, for the group' or diag explain $stale->($bob);

my @all = $t->many(20, sub { {path => '/article/', headers => [Host => 'a.example', Cookie => $login->('many') . "; n=$_[0]"]} });
is scalar(grep { $_->body eq 'article for reader render 2' } @all), 20, 'many new sessions at once';

like $t->read_file($t->dir . '/nginx-access.log'), qr{^/article/ \[editor\] HIT$}m, '$larder_group is for the log';
like $t->read_file($t->dir . '/nginx-access.log'), qr{^/article/ \[-\] MISS$}m, '... and empty for who has none';

done_testing;
