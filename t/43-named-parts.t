# <esi:inline>: a named part of a page. Other pages include it, from the near cache and the store; clients may request it only
# if its markup allows that; it never replaces a page; larderd renews it with its page.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $conf = sub { <<"CONF" };
    larder_zone 8m;
    larder_store main redis://\@redis\@ timeout=5s;
    larder_daemon redis://\@redis\@ timeout=5s;
    server {
        listen \@$_[0]\@;
        larder main;
        larder_esi on;
        larder_stale while=1h;
        location / { proxy_pass http://\@backend\@; }
    }
CONF
my $one = $t->nginx($conf->('nginx'));
my $two = $t->nginx($conf->('nginx2'), name => 'nginx2');
my @as  = (headers => [Host => 'site']);
my $swr = 'max-age=0, stale-while-revalidate=600';
my $page = sub {
    my ($control) = @_;
    $backend->set('/page' => {headers => [['Cache-Control', $control]], body =>
        'page {n} <esi:inline name="/hidden">hidden {n}</esi:inline><esi:inline name="/open?x=1" fetchable="yes">open {n} <esi:include src="/inner"/></esi:inline>'});
};
$backend->set('/inner' => {body => 'inner', headers => [['Cache-Control', 'max-age=600']]}, (map { ($_ => {status => 404, body => 'none'}) } '/hidden', '/open'),
    map { ("/other$_" => {body => "other: <esi:include src=\"/hidden\" onerror=\"continue\"/>, <esi:include src=\"/open?x=1\" onerror=\"continue\"/>", headers => [['Cache-Control', 'max-age=600']]}) } 1 .. 4);

is $one->get('/other1', @as)->body, 'other: , ', 'before its page was made, a part is not there';
$page->('max-age=600');
is $one->get('/page', @as)->body, 'page 1 ', 'a named part is not shown in its own page';
is $one->get('/other2', @as)->body, 'other: hidden 1, open 1 inner', 'another page includes the parts';
is $one->get('/open?x=1', @as)->body, 'open 1 inner', 'a client gets one that is fetchable';
is $one->get('/hidden', @as)->status, 404, '... and not one that is not';
ok $t->await(sub { $two->get('/other3', @as)->body eq 'other: hidden 1, open 1 inner' }), 'another nginx finds them in the store';

# A page with the same name is not replaced: once the backend's own answer is stored, that counts.
$backend->set('/hidden' => {body => 'the real one', headers => [['Cache-Control', 'max-age=600']]});
is $one->get('/hidden', @as)->body, 'the real one', 'a part never stands in for a page';
$backend->set('/hidden' => {status => 404});

$backend->set('/page' => undef);
$page->($swr);
$one->request(method => 'POST', path => '/page', body => 'x', @as);
$one->get('/page', @as);
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
    url = "http://@backend@"
TOML
my $before = $backend->count('/page');
$page->('max-age=600');
is $one->get('/page', @as)->larder, 'STALE', 'when larderd renders the page';
ok $t->await(sub { $backend->count('/page') > $before }), '...';
my $now = $backend->count('/page');
ok $t->await(sub { $one->get('/open?x=1', @as)->body eq "open $now inner" }, 'the part', 15), '... its parts are new as well';

done_testing;
