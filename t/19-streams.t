# Nobody waits for a stream that another client reads, and it does not fill up memory.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    larder_lock 30s;
    proxy_buffering off;
    server {
        listen @nginx@;
        larder near;
        proxy_http_version 1.1;
        location / { proxy_pass http://@backend@; }
        location /ignored { proxy_ignore_headers X-Accel-Buffering; proxy_pass http://@backend@; }
        location /unsaid { larder_lock 300ms; proxy_pass http://@backend@; }
        location /esi/ { larder_esi on; proxy_pass http://@backend@; }
        location /inline { larder_refresh inline; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
my @unbuffered = (headers => [['X-Accel-Buffering', 'no']]);
my %streams = ('/events' => {type => 'text/event-stream'}, '/events/charset' => {type => 'text/event-stream; charset=utf-8'},
    '/camera' => {type => 'multipart/x-mixed-replace; boundary=x'}, '/records' => {type => 'application/x-ndjson'}, '/page' => {@unbuffered},
    '/long-lived' => {type => 'text/event-stream', headers => [['Cache-Control', 'max-age=60']]}, '/esi/events' => {type => 'text/event-stream'}, '/esi/page' => {@unbuffered});
$backend->set(map { $_ => {%{$streams{$_}}, stream => 1} } keys %streams);

my $ask = sub { my $s = Larder::Test::listens($t->address('nginx')); print $s "GET $_[0] HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\n\r\n"; $s->flush; $s };
my $begins = sub { my ($s, $came) = ($_[0], ''); $t->await(sub { $s->blocking(0); sysread $s, $came, 4096, length $came; $came =~ /first part/ }, 'the beginning of a stream') };
for my $path (sort keys %streams) {
    my @clients = map { $ask->($path) } 1 .. 3;
    is scalar(grep { $begins->($_) } @clients), 3, "$path: each client has the beginning of its stream, which has no end";
    close $_ for @clients;
    ok $t->await(sub { $backend->stats->{paths}{$path}{active} == 0 }), '... and who leaves ends it';
}

# A stream that looks like a page is waited for once.
$backend->set('/unsaid' => {stream => 1});
my @waiting = map { $ask->('/unsaid') } 1 .. 2;
ok $begins->($_), 'a stream that looks like a page: who waits for it does so for larder_lock' for @waiting;
like $t->raw("GET /unsaid HTTP/1.1\r\nHost: h\r\n\r\n", 2), qr/first part/, '... and later visitors don\'t wait at all';
close $_ for @waiting;

# An answer with an end may be stored.
$backend->set('/page/lasting' => {headers => [@{$unbuffered[1]}, ['Cache-Control', 'max-age=60']], chunked => 1}, '/page/short' => {@unbuffered}, '/ignored' => {@unbuffered, chunked => 1});
is join(' ', map { $t->get($_)->larder } ($_) x 2), 'MISS HIT', "$_ is kept" for '/page/lasting', '/page/short', '/ignored';

# Larder itself needs complete answers, so it ends a stream at once.
$backend->set('/esi/with' => {body => 'a<esi:include src="/esi/events" onerror="continue"/>b'});
is $t->get('/esi/with')->body, 'ab', 'a stream as a fragment is none';
ok $t->await(sub { $backend->stats->{paths}{'/esi/events'}{active} == 0 }), '... and ends';
$backend->set('/inline' => {body => 'page', headers => [['Surrogate-Key', 'k']]});
$t->get('/inline');
$backend->set('/inline' => {%{$streams{'/events'}}, stream => 1});
$t->purge('tag=k');
is $t->get('/inline')->body, 'page', 'a page that became a stream';
ok $t->await(sub { my $p = $backend->stats->{paths}{'/inline'}; $p->{count} >= 2 && $p->{active} == 0 }), '... its refresh ends';
done_testing;
