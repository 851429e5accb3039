# The attributes of an include, and the answers of a fragment: ttl, no-store, maxwait, dca, late, redirects, inline.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 200 1m;
    larder_stale never;
    server {
        listen @nginx@;
        larder near;
        larder_esi auto includes=40;
        location / { proxy_pass http://@backend@; }
        location /silent/ { larder_valid 404 0; proxy_pass http://@backend@; }
        location /short/ { larder_esi on total=300ms; proxy_pass http://@backend@; }
        location /cookies/ { larder_esi on; larder_esi_set_cookie seen; proxy_pass http://@backend@; }
        location /small/ { larder_esi on output=1k; proxy_pass http://@backend@; }
    }
CONF
my @esi = (headers => [['Surrogate-Control', 'max-age=60, content="ESI/1.0"']]);
sub page {
    my ($path, $body, %more) = @_;
    $backend->set($path => {body => $body, @esi, %more});
    return $t->get($path);
}
my $part = sub { $backend->set($_[0] => {body => 'part {n}', @_[1 .. $#_]}) };

$part->('/silent/ttl', headers => []);
is page('/ttl', '<esi:include src="/silent/ttl" ttl="1h"/>')->body, 'part 1', 'ttl: a fragment that says nothing of its lifetime';
is page('/ttl-2', '<esi:include src="/silent/ttl"/>')->body, 'part 1', '... is kept';
$part->('/own', headers => [['Cache-Control', 'no-store']]);
page('/own-1', '<esi:include src="/own" ttl="1h"/>');
is page('/own-2', '<esi:include src="/own" ttl="1h"/>')->body, 'part 2', '... but not one that forbids it';
$part->('/unkept');
page('/unkept-1', '<esi:include src="/unkept" no-store="on"/>');
is page('/unkept-2', '<esi:include src="/unkept" no-store="on"/>')->body, 'part 2', 'no-store: never kept';

$part->('/now');
is page('/now-1', 'a<esi:include src="/now" maxwait="0">not yet</esi:include>b')->body, 'anot yetb', 'maxwait=0: what is not at hand is not waited for';
is $backend->count('/now'), 0, '... nor asked for';
$t->get('/now');
is page('/now-2', 'a<esi:include src="/now" maxwait="0">not yet</esi:include>b')->body, 'apart 1b', '... and what is, is there';
$part->('/held', hold => 1);
is page('/held-1', 'a<esi:include src="/held" maxwait="50ms" alt="/now"/>b')->body, 'apart 1b', 'maxwait: then alt';

my $late = page('/late', 'a<esi:include src="/held?x=1&amp;y=%22" late="client" maxwait="50ms"/>b')->body;
like $late, qr{^a<a class="larder-late" href="/held\?x=1&amp;y=%22">.*</a><script>.*</script>b$}, 'late=client: a link goes out, which a script replaces';
$backend->release;

$part->('/plain', body => '[<esi:vars>$(HTTP_HOST)</esi:vars>]');
like page('/dca-1', '<esi:include src="/plain"/>')->body, qr/^\[<esi:vars>/, 'a fragment that does not ask for ESI is left alone';
like page('/dca-2', '<esi:include src="/plain" dca="esi"/>')->body, qr/^\[127\.0\.0\.1/, 'dca=esi: ... unless the include says so';

$backend->set(map { ("/r$_" => {status => $_, headers => [['Location', '/target']]}) } 301, 302, 303, 307, 308);
$part->('/target', body => 'target');
is page("/to-$_", "a<esi:include src=\"/r$_\"/>b")->body, 'atargetb', "a fragment's redirect is followed: $_" for 301, 302, 303, 307, 308;
$backend->set('/loop' => {status => 302, headers => [['Location', '/loop']]}, '/away' => {status => 302, headers => [['Location', 'http://127.0.0.1:1/x']]},
    '/nested/from' => {status => 302, headers => [['Location', 'http://{host}/deep/page']]}, '/deep/page' => {body => '<esi:include src="part"/>', @esi}, '/deep/part' => {body => 'deep'});
is page('/looping', 'a<esi:include src="/loop" onerror="continue"/>b')->body, 'ab', '... so often';
cmp_ok $backend->count('/loop'), '<=', 6, '... and no more';
is page('/leaving', 'a<esi:include src="/away" onerror="continue"/>b')->body, 'ab', '... and not to another site';

is page('/inline', 'a<esi:inline name="/box">in <esi:include src="/target"/></esi:inline>b<esi:include src="/box"/>c<esi:include src="/box"/>')->body,
    'abin targetcin target', 'inline: shown where its name is included, not where it stands';
is $backend->count('/box'), 0, '... and nobody is asked for it';

$part->('/cookie', headers => [['Set-Cookie', 'seen=1; Path=/'], ['Set-Cookie', 'secret=2']]);
is page('/no-cookies', '<esi:include src="/cookie"/>')->header('Set-Cookie'), undef, "a fragment's cookies reach nobody";
is page('/cookies/page', '<esi:include src="/cookie"/>')->header('Set-Cookie'), 'seen=1; Path=/', '... unless larder_esi_set_cookie names them';

$part->('/never', hold => 1);
my $total = page('/short/page', 'a<esi:include src="/never">given up</esi:include>b');
is $total->body, 'agiven upb', 'total: a page has so much time for all its parts';
$backend->release;
my $long = page('/small/page', '<esi:foreach collection="[1..1000]">0123456789</esi:foreach>');
is $long->status, 200, 'output: a page may be so long';
is length $long->body, 1024, '... and is cut off there';

done_testing;
