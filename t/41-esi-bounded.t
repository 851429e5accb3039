# The cost of a page is bounded, whatever its markup, and other requests are served while it is made.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 32m;
    larder_valid 10m;
    log_format path $uri;
    server {
        listen @nginx@;
        access_log @dir@/order.log path;
        larder near;
        larder_esi on;
        location / { proxy_pass http://@backend@; }
        location /small/ { larder_esi on memory=1m; proxy_pass http://@backend@; }
        location /ping { larder off; return 200 pong; }
    }
CONF
$t->get('/ping');
my $worker = ($nginx->workers)[0];
sub kilobytes { my ($n) = Larder::Test->read_file("/proc/$worker/status") =~ /^$_[0]:\s+(\d+) kB/m; return $n }
sub include   { "<esi:include src=\"$_[0]\" onerror=\"continue\"/>" }

# Sixteen fragments, each of which includes all of them: a million includes at the depth limit. (t/41-esi-fan.t counts them.)
my $before = kilobytes('VmHWM');
my $all    = join '', map { include("/fan/$_") . '.' } 1 .. 16;
$backend->set("/fan/$_" => {body => $all}) for 1 .. 16;
my $fan = $t->get('/fan/1');
is $fan->status, 200, 'fragments that include each other: a page';
ok $fan->complete, '... that ends';
cmp_ok $backend->count('/fan'), '<=', 17, '... each asked for once';
like $nginx->error_log, qr{include "/fan/\d+" of "/fan/1" refused: (nested deeper than larder_esi depth|more includes than larder_esi includes)=}, '... and the log names the limit';

cmp_ok scalar(() = $nginx->error_log =~ / of "\/fan\/1" refused: /g), '<=', 16, '... without a line for each include';

# Values, patterns and lists that grow without end.
my $big = '<esi:assign name="n" value="\'' . 'a' x 400 . '\'"/>';
my $loop = sub { "$big<esi:foreach collection=\"[1..1000]\"><esi:foreach collection=\"[1..1000]\">$_[0]</esi:foreach></esi:foreach>end" };
my %hostile = (
    pattern  => $loop->(q{<esi:choose><esi:when test="$(n) matches '^(([a-z])+.)+[A-Z]([a-z])+$'">x</esi:when></esi:choose>}),
    starts   => $loop->(q{<esi:choose><esi:when test="$(n) matches '[a-z]*+\d'">x</esi:when></esi:choose>}),
    search   => $loop->(q{<esi:choose><esi:when test="$(n) + $(n) has_i $(n) + 'b'">x</esi:when></esi:choose>}),
    doubling => $loop->(q{<esi:assign name="n" value="$(n) + $(n)"/>}),
    encoding => $loop->(q{<esi:assign name="n" value="$url_encode($(n) + '%')"/>}),
    lists    => $loop->(q{<esi:assign name="n" value="[$(n), $(n)]"/>}),
    includes => $loop->('<esi:include src="/ping">-</esi:include>'),
);
for my $name (sort keys %hostile) {
    $backend->set("/$name" => {body => $hostile{$name}});
    my $answer = $t->get("/$name");
    ok $answer->complete, "$name: a page that ends";
    ok $t->get("/$name")->body eq $answer->body, '... the same when it comes from the cache';
}
SKIP: {
    skip 'sanitizers keep freed memory', 1 if %{$t->_sanitizer_env('nginx')};
    cmp_ok kilobytes('VmHWM') - $before, '<', 200_000, 'none of them takes much more memory than larder_esi memory=';
}

# memory= counts the bytes of fragments, too.
$backend->set("/small/f$_" => {body => 'f' x 200_000}) for 1 .. 10;
$backend->set('/small/page' => {body => 'a' . join('', map { include("/small/f$_") } 1 .. 10) . 'z'});
my $small = $t->get('/small/page');
ok $small->body =~ /^af+z$/, 'fragments that don\'t fit are left out';
cmp_ok length $small->body, '<', 1 << 20, '... the others stand';
like $nginx->error_log, qr{no room for fragment "/small/f\d+" of "/small/page" within larder_esi memory=1048576: left out}, '... and the log says which';

# One worker is stopped while both requests arrive: the page is first, and the other request does not wait until it is finished.
my @wire = map { IO::Socket::INET->new(PeerAddr => $nginx->address) } 1 .. 2;
sub answer_on { my ($socket) = @_; my $got = ''; while ($got !~ /\r\n\r\n/ && sysread $socket, my $some, 65536) { $got .= $some } return $got }
for my $socket (@wire) {  # both connections are accepted before
    print $socket "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";
    answer_on($socket);
}
for my $name (qw(pattern starts search includes)) {
    kill STOP => $worker;
    my ($page, $ping) = @wire;
    print $page "GET /$name HTTP/1.1\r\nHost: a\r\n\r\n";
    print $ping "GET /ping?$name HTTP/1.1\r\nHost: a\r\n\r\n";
    kill CONT => $worker;
    answer_on($ping);
    $page->blocking(0);
    $t->await(sub { 1 while sysread $page, my $rest, 1 << 20; (() = Larder::Test->read_file($t->dir . '/order.log') =~ m{^/$name$}mg) == 3 }, "$name is done");
    my @last = (split /\n/, Larder::Test->read_file($t->dir . '/order.log'))[-2, -1];
    is_deeply \@last, ['/ping', "/$name"], "$name: another request is answered while the page is made";
    1 while sysread $page, my $rest, 1 << 20;
    $page->blocking(1);
}

done_testing;
