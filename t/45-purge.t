# Purges by URL or tag. Soft: served stale once more and renewed. Hard: gone. In the near cache and in each store.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->memcached;
my $http = <<'CONF';
    larder_zone 8m;
    larder_store redis redis://@redis@ timeout=5s;
    larder_store memcached memcached://@memcached@ timeout=5s;
    larder_valid 1h;
    larder_cookie lang value;
    server {
        listen @nginx@;
        server_name site;
        location /near/      { larder near;      proxy_pass http://@backend@; }
        location /redis/     { larder redis;     proxy_pass http://@backend@; }
        location /memcached/ { larder memcached; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
        location = /guarded { larder_purge token=0123456789abcdef; }
    }
CONF
my $one = $t->nginx($http, workers => 2);
$http =~ s/\@nginx\@/\@other\@/;
my $other = $t->nginx($http, name => 'other');
my @as = (headers => [Host => 'site']);
$backend->set('/*' => {headers => [['Surrogate-Key', 'all {arg:tag}'], ['Cache-Tag', 'x, {path}']]});

for my $place (qw(near redis memcached)) {
    my $page = "/$place/page?tag=mine";
    my $bystander = "/$place/bystander?tag=yours";
    for my $purge ("tag=mine", "url=/$place/page", "url=http://site/$place/page", "tag=nothing&tag=mine", "tag=/$place/page") {
        $t->await(sub { $t->get($page, @as)->larder eq 'HIT' });
        $t->await(sub { $t->get($bystander, @as)->larder eq 'HIT' });
        my $before = $t->get($page, @as)->body;
        my $answer = $one->purge($purge, @as);
        is $answer->status, 200, "$place: purge $purge" or diag $answer->body;
        my $stale = $t->get($page, @as);
        is $stale->larder, 'STALE', "$place: ... the page is served once more";
        is $stale->body, $before, "$place: ... as it was";
        ok $t->await(sub { my $new = $t->get($page, @as); $new->larder eq 'HIT' && $new->body ne $before }), "$place: ... and made anew";
        is $t->get($bystander, @as)->larder, 'HIT', "$place: ... what it does not name stays";
    }
    my $before = $t->get($page, @as)->body;
    is $one->purge('tag=mine&mode=hard', @as)->status, 200, "$place: hard purge";
    my $new = $t->get($page, @as);
    is $new->larder, 'MISS', "$place: ... the page is gone";
    isnt $new->body, $before, "$place: ... and a new one there";
}

for my $place (qw(redis memcached)) {
    my $page = "/$place/page?tag=mine";
    ok $t->await(sub { $other->get($page, @as)->larder eq 'HIT' }), "$place: the other nginx has the page";
    $one->purge('tag=mine&mode=hard', @as);
    my $new = $t->get($page, @as)->body;
    ok $t->await(sub { $other->get($page, @as)->body eq $new }), "$place: ... and learns of a purge";
}

for my $lang (qw(de fr)) {
    $t->get('/near/page', headers => [Host => 'site', Cookie => "lang=$lang"]) for 1 .. 2;
}
$one->purge('url=/near/page&mode=hard', @as);
is $t->get('/near/page', headers => [Host => 'site', Cookie => "lang=$_"])->larder, 'MISS', "a URL names all its variants: $_" for qw(de fr);
$t->get('/near/page?1', @as) for 1 .. 2;
$backend->set('/near/page' => {status => 405});
$t->request(method => 'PURGE', path => '/near/page?1', @as);
is $t->get('/near/page?1', @as)->larder, 'HIT', 'the method PURGE does nothing of its own where no larder_purge stands';

is $t->get('/larder_purge?tag=mine', @as)->status, 405, 'not by GET';
for my $bad ('', 'tag=', 'colour=red', 'url=nowhere', 'mode=maybe&tag=x') {
    my $answer = $one->purge($bad, @as);
    is $answer->status, 400, "\"$bad\" is refused";
    like $answer->body, qr/tag=NAME|url|mode/, '... with what is legal';
}
is $one->purge('tag=mine', path => '/guarded', @as)->status, 401, 'a token is asked for';
is $one->purge('tag=mine', path => '/guarded', headers => [Host => 'site', Authorization => 'Bearer 0123456789abcdeX'])->status, 401, '... and looked at';
is $one->purge('tag=mine', path => '/guarded', headers => [Host => 'site', Authorization => 'Bearer 0123456789abcdef'])->status, 200, '... and accepted';

# An answer whose render began before the purge must not undo it.
$backend->set('/near/slow' => {hold => 1, body => 'old', headers => [['Surrogate-Key', 'slow']]});
my $load = $t->load(['/near/slow'], clients => 1, @as);
ok $t->await(sub { $backend->count('/near/slow') == 1 }), 'a render begins';
$one->purge('tag=slow', @as);
$backend->set('/near/slow' => {body => 'new', headers => [['Surrogate-Key', 'slow']]});
$backend->release;
ok $t->await(sub { $t->get('/near/slow', @as)->body eq 'new' }), '... before a purge: what it rendered does not stay';
$load->stop;

done_testing;
