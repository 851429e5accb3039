# Everybody can read prerendered files. Pages that nginx serves to members only never get into one, even if a member requests
# such a page during the prerender run.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
mkdir $t->dir . '/files';
my $nginx = $t->nginx(<<'CONF', workers => 1);
    larder_store main redis://@redis@ timeout=5s;
    larder_signing_key a-signing-key-for-tests;
    larder_zone 8m;
    server {
        listen @nginx@; server_name example.com;
        larder main;
        proxy_set_header Host $host;
        location /         { proxy_pass http://@backend@; }
        location /members/ { auth_request /may; proxy_pass http://@backend@; }
        location = /may    { internal; larder off; if ($http_x_member = "") { return 403; } return 204; }
    }
CONF
my @as_member = (headers => [Host => 'example.com', 'X-Member' => 'ann']);
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600'], ['Content-Type', 'text/html']], body => '{path}'});
$backend->set('/first' => {headers => [['Cache-Control', 'max-age=600'], ['Content-Type', 'text/html']], body => 'first', hold => 1});
my $d = Larder::Test::Daemon->start($t, more => <<'TOML');
[[prerender]]
name = "site"
every = "1h"
directory = "@dir@/files"
urls = ["http://example.com/first", "http://example.com/members/page", "http://example.com/last"]
TOML
my $has = sub { -e $t->dir . "/files/$_[0]/index.html" };

ok $t->await(sub { $backend->count('/first') && $backend->count('/last') }, 'renders', 30), 'a prerender is at work';
is $nginx->get('/members/page')->status, 403, 'nginx gives a page to nobody';
is $nginx->get('/members/page', @as_member)->status, 200, '... but to a member';
is $nginx->get('/members/page', @as_member)->larder, 'HIT', '... and keeps it';
$backend->release;
ok $t->await(sub { $has->('first') && $has->('last') }, 'files', 30), 'other pages get their files';
ok !$has->('members/page'), '... this one does not';
ok $t->await(sub { (() = $d->log =~ m{no new page for http://example.com/members/page}g) > 2 }, 'failures', 60), '... however often it is tried';
ok !$has->('members/page'), '... as nginx lets no such request in';
done_testing;
