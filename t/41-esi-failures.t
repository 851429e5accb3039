# A fragment that fails: alt, onerror, try; and limits.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    proxy_read_timeout 1s;
    server {
        listen @nginx@;
        larder near;
        larder_esi on depth=3 includes=20;
        location / { proxy_pass http://@backend@; }
    }
CONF
$backend->set(
    '/good'  => {body => 'good'},
    '/404'   => {status => 404}, '/503' => {status => 503},
    map { ("/$_" => {fault => $_}) } qw(close garbage hang truncate),
);
sub page {
    my ($path, $body) = @_;
    $backend->set($path => {body => $body});
    return $t->get($path);
}

for my $failure (qw(404 503 close garbage hang)) {
    is page("/alt-$failure", "a<esi:include src=\"/$failure\" alt=\"/good\"/>b")->body, 'agoodb', "$failure: alt takes its place";
    is page("/continue-$failure", "a<esi:include src=\"/$failure\" onerror=\"continue\"/>b")->body, 'ab', "$failure: onerror=continue leaves it out";
    is page("/both-$failure", "a<esi:include src=\"/$failure\" alt=\"/503\" onerror=\"continue\"/>b")->body, 'ab', "$failure: alt that fails, too";
    is page("/try-$failure", "a<esi:try><esi:attempt>x<esi:include src=\"/$failure\"/></esi:attempt><esi:except>y</esi:except></esi:try>b")->body,
        'ayb', "$failure: try falls to except";
}
my $bare = page('/bare', 'a<esi:include src="/503"/>b');
ok $bare->complete, 'a failure without any way round: still a whole answer';
unlike $bare->body, qr/render|503|nginx/, '... in which no error page of a fragment shows';

# Limits.
my $self = page('/self', 'a<esi:include src="/self" onerror="continue"/>b');
is $self->status, 200, 'a page that includes itself ends';
cmp_ok length $self->body, '<', 100, '... at the depth limit';
my $many = page('/many', join '', map { "<esi:include src=\"/n?$_\" onerror=\"continue\"/>" } 1 .. 100);
is $many->status, 200, 'a page of more includes than allowed is served';
cmp_ok $backend->count('/n'), '<=', 20, '... within the limit';
for my $src ('http://127.0.0.1:1/', '//127.0.0.1/', 'file:///etc/passwd', '/../../etc/passwd', "/a\r\nX: y", '') {
    my $answer = page('/src-' . unpack('H*', $src), "a<esi:include src=\"$src\" onerror=\"continue\"/>b");
    is $answer->status, 200, "src \"$src\": the page is served" =~ s/[\r\n]/./gr;
    unlike $answer->body, qr/root:/, '... and reaches nothing else';
}
my $escaped = page('/injected', 'a<esi:include src="/evil"/>b');
$backend->set('/evil' => {body => '{arg:x}<esi:vars>$(HTTP_HOST)</esi:vars>'});
is $t->get('/good')->body, 'good', 'and all is well afterwards';

# The backend breaks off a page: nothing of it was sent yet.
my $half = {body => 'x' x 100 . '<esi:include src="/good"/>', fault => 'truncate'};
$backend->set('/half' => $half);
is $t->get('/half')->status, 502, 'the page is an error, not half of one';
$backend->set('/whole' => {body => 'whole <esi:include src="/good"/>', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=0, stale-if-error=600']]});
is $t->get('/whole')->body, 'whole good', 'a page that was whole once';
$backend->set('/whole' => $half);
my $stale = $t->get('/whole');
is_deeply [$stale->body, $stale->larder], ['whole good', 'ERROR-STALE'], '... is served when its backend breaks off';

done_testing;
