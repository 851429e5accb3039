# However the backend frames its answers and keeps its connections, pages are stored complete or not at all.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->backend(name => 'spare');
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_refresh inline;
    upstream kept { server @backend@; keepalive 4; }
    upstream pair { server @backend@ max_fails=0; server @spare@ backup; }
    server {
        listen @nginx@;
        larder near;
        proxy_read_timeout 30s;
        location / { proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend@; }
        location /kept/ { proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection ""; }
        location /direct/ { proxy_buffering off; proxy_http_version 1.1; proxy_pass http://@backend@; }
        location /next/ { proxy_next_upstream error http_500; proxy_pass http://pair; }
        location /small/ { proxy_buffers 4 4k; proxy_buffer_size 4k; proxy_max_temp_file_size 64k; proxy_pass http://@backend@; }
    }
CONF
sub twice { my ($path, @o) = @_; return map { $t->get($path, @o) } 1 .. 2 }

# [rule, what it is]
my @framings = (
    [{}, 'Content-Length'], [{chunked => 1}, 'chunked'], [{until_close => 1}, 'until the connection closes'],
    [{http10 => 1}, 'HTTP/1.0'], [{http10 => 1, until_close => 1}, 'HTTP/1.0, until the connection closes'],
    [{chunked => 1, trailers => [['X-Sum', '1'], ['Set-Cookie', 'a=b']]}, 'chunked with trailers'],
);
my $n = 0;
for my $place ('', '/kept', '/direct', '/small', '/esi') {
    for my $framing (@framings) {
        my $path = "$place/page" . ++$n;
        $backend->set($path => {%{$$framing[0]}, size => 100_000});
        my ($miss, $hit) = twice($path);
        is_deeply [map { $_->larder, length $_->body, $_->complete } $miss, $hit], ['MISS', 100_000, 1, 'HIT', 100_000, 1], "$path: $$framing[1]";
        is $hit->header('Content-Length'), 100_000, '... a hit has its length';
        ok !defined $hit->header('X-Sum') && !$hit->header('Set-Cookie'), '... and no trailers';
    }
}

# Broken answers: the client notices, nobody else gets them, and a stale page is served instead, if there is one.
for my $place ('', '/kept', '/direct', '/esi') {
    for my $fault (qw(truncate bad-chunk die close)) {
        my $path = "$place/$fault";
        $backend->set($path => {fault => $fault, size => 100_000});
        my $broken = $t->get($path);
        ok !$broken->complete || $broken->status == 502, "$path: broken for who asked" or diag $broken->status;
        $backend->set($path => {body => 'well'});
        is $t->get($path)->body, 'well', '... and kept for nobody';
    }
}
# Bytes beyond the announced length are dropped, and not read as the next answer on the connection.
for my $place ('/kept', '/direct') {
    $backend->set("$place/overlong" => {fault => 'overlong', size => 10});
    is length $_->body, 10, "$place: more than was promised is cut off" for twice("$place/overlong");
    is $t->get("$place/after")->body, "$place/after render 1\n", '... and no part of another page';
}

# Kept connections: fills and refreshes use them, and a client that leaves does not break them.
$backend->reset;
$t->get("/kept/many-$_") for 1 .. 10;
$backend->set('/kept/stale' => {headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=60']]});
$t->get('/kept/stale');
ok $t->await(sub { $t->get('/kept/stale')->body =~ / render [3-9]/ }), 'pages are made anew in the background';
my %connections = map { $_->{connection} => 1 } grep { $_->{path} =~ m{^/kept/} } $backend->log;
cmp_ok scalar(keys %connections), '<=', 2, '... over connections that are kept, two if a fill and a refresh met';
$backend->set('/kept/slow' => {hold => 1, size => 100_000});
my $leaver = Larder::Test::listens($t->address('nginx'));
print $leaver "GET /kept/slow HTTP/1.1\r\nHost: " . $t->address('nginx') . "\r\n\r\n";
$leaver->flush;
ok $t->await(sub { $backend->count('/kept/slow') == 1 }), 'a client that leaves';
close $leaver;
$backend->release;
is $t->get("/kept/then-$_")->body, "/kept/then-$_ render 1\n", '... and no other page contains a part of its page' for 1 .. 5;

$backend->set('/next/page' => {status => 500});
is_deeply [map { $_->larder . $_->status } twice('/next/page')], ['MISS200', 'HIT200'], 'proxy_next_upstream: what the next server says is kept';
$backend->set('/hints' => {early => [['Link', '</a.css>; rel=preload'], ['Set-Cookie', 'a=b']], body => 'page'});
my ($first, $second) = twice('/hints');
if (Larder::Test::nginx_version() < 1_029_000) {    # reads it as the answer
    isnt $_->larder, 'HIT', 'an interim answer is not kept' for $first, $second;
}
else {
    is_deeply [map { $_->larder, $_->body } $first, $second], ['MISS', 'page', 'HIT', 'page'], 'an answer after an interim one is kept';
    is_deeply [map { $second->header($_) } qw(Link Set-Cookie)], [], '... without the fields of the interim answer';
}

done_testing;
