# Hop-by-hop fields: a field that a client names in Connection does not reach the backend, and can't remove another field; a
# field that a backend names is not stored. But all of them count in the decision whether to store the page.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    proxy_http_version 1.1;
    upstream kept { server @backend@; keepalive 1; }
    server {
        listen @nginx@;
        server_name site;
        larder near;
        larder_cookie lang value;
        larder_header X-Kept;
        location / { proxy_pass http://@backend@; proxy_set_header Host $http_host; proxy_set_header Connection $http_connection; }
        location /plain/ { proxy_pass http://@backend@; }
        location /kept-connection/ { proxy_pass http://kept; proxy_set_header Connection ""; proxy_set_header Host $http_host; }
    }
CONF

# A client that names in Connection the fields that identify it or are in the key.
$backend->set('/*' => {echo => 1});
my $n = 0;
for my $named ('Host', 'Cookie', 'X-Kept', 'X-Forwarded-Proto', 'close, X-Kept', 'Keep-Alive, Cookie', 'Upgrade, HTTP2-Settings', 'TE', 'Content-Length', ',,,', "x\tX-Kept") {
    my $page = '/hop-' . ++$n;
    my @sent = (Host => 'site', Cookie => 'lang=de', 'X-Kept' => 'kept');
    my $first = $t->get($page, headers => [@sent, Connection => $named]);
    is $first->status, 200, "Connection: $named";
    my $victim = $t->get($page, headers => \@sent);
    is $victim->larder, 'HIT', '... and the next one finds a page';
    like $victim->body, $_, "... made with $_" for qr/"Host", "site"/, qr/"Cookie", "lang=de"/, qr/"x-kept", "kept"/, qr/"X-Forwarded-Proto", "http"/;
    unlike $victim->body, qr/"Connection", "(?!close)/, '... and without what the client said of its connection';
}

# A backend: [its answer, whether the page is stored, a field that the stored page lacks]
for my $case (
    [[['Connection', 'X-Hop'], ['X-Hop', 'secret']], 1, 'X-Hop'],
    [[['Connection', 'x-a, X-HOP ,close'], ['X-Hop', 'secret']], 1, 'X-Hop'],
    [[['Connection', 'close'], ['Connection', 'X-Hop'], ['X-Hop', 'secret']], 1, 'X-Hop'],
    [[['Connection', 'Keep-Alive'], ['Keep-Alive', 'timeout=9']], 1, 'Keep-Alive'],
    [[['Proxy-Connection', 'keep-alive'], ['Upgrade', 'h2c'], ['TE', 'x'], ['Proxy-Authenticate', 'Basic']], 1, 'Proxy-Authenticate'],
    [[['Connection', 'Cache-Control'], ['Cache-Control', 'private']], 0],
    [[['Connection', 'Cache-Control'], ['Cache-Control', 'no-store']], 0],
    [[['Connection', 'Surrogate-Control'], ['Surrogate-Control', 'no-store']], 0],
    [[['Connection', 'Set-Cookie'], ['Set-Cookie', 'a=1']], 0],
    [[['Connection', 'Vary'], ['Vary', 'Authorization']], 0],
    [[['Connection', 'Vary'], ['Vary', '*']], 0],
    [[['Connection', 'Content-Encoding'], ['Content-Encoding', 'secret']], 0],
    [[['Set-Cookie', ''], ['Cache-Control', 'public']], 0],
    [[['sEt-cOOkie', 'a=1'], ['Cache-Control', 'public, max-age=60']], 0],
) {
    my ($says, $kept, $gone) = @$case;
    my $page = '/plain/says-' . ++$n;
    $backend->set($page => {headers => $says});
    my @answers = map { $t->get($page) } 1 .. 2;
    my $what = join ', ', map { "$$_[0]: $$_[1]" } @$says;
    is $answers[1]->larder eq 'HIT' ? 1 : 0, $kept, "$what: " . ($kept ? 'kept' : 'not kept');
    is $answers[1]->header($gone), undef, "... without $gone" if $gone;
}

# A request's value echoed into a field can't begin a line of its own.
for my $echoed ("a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1") {
    my $page = '/plain/split-' . ++$n;
    $backend->set($page => {headers => [['X-Echo', $echoed]]});
    my @answers = map { $t->get($page) } 1 .. 2;
    my ($first, $second) = map { join '|', map { ":$$_[0]:$$_[1]" } grep { $$_[0] =~ /evil|echo/i } @{$_->{headers}} } @answers;
    is $second, $first, 'a field that a backend lets be split: kept as it was read, not split once more' =~ s/^/($echoed =~ s{[\r\n]}{.}gr) . ': '/er;
}
for my $target ('/plain/e%0d%0aX-Evil:%201', '/plain/e%0aX-Evil:1', '/plain/e?q=%0d%0aX-Evil:1', "/plain/e\tX-Evil:1") {
    my $got = $t->{nginx}->raw("GET $target HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n", 1);
    unlike $got, qr/^X-Evil/mi, "$target: no field in the answer" =~ s/\t/./r;
    ok !(grep { grep { $$_[0] =~ /evil/i } @{$_->{headers}} } $backend->log), '... and none in what the backend is asked';
}

# Request smuggling: nginx and the backend agree where a request ends, or the connection ends.
for my $smuggled ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", "Content-Length: +0\r\n\r\n", "Content-Length: 0, 0\r\n\r\n", "Content-Length: -1\r\n\r\n",
    "Content-Length : 0\r\n\r\n", "Content-Length: 0\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Content-Length: 0\r\n\r\n") {
    my $page = '/kept-connection/' . ++$n;
    $t->{nginx}->raw("GET $page HTTP/1.1\r\nHost: site\r\n${smuggled}GET /kept-connection/evil HTTP/1.1\r\nHost: evil\r\n\r\n", 0.3);
    for my $victim ($page, "$page-too") {
        like $t->get($victim, headers => [Host => 'site'])->body, qr/"path": "\Q$victim\E".*"Host", "site"/, ($smuggled =~ s/[\r\n\x0b]+/ | /gr) . ': the next one gets what it asked for';
    }
}

done_testing;
