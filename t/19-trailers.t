# Trailers belong to one answer. A stored or assembled page has none, neither for the client whose request filled it nor for
# later ones, and no Trailer field announces any. For answers that pass, nginx forwards them if configured (1.27.2,
# proxy_pass_trailers). Those of add_trailer are added to each answer.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $passes  = Larder::Test::nginx_version() >= 1_027_002;
my $pass    = $passes ? 'proxy_pass_trailers on; proxy_set_header TE trailers; proxy_set_header Connection te;' : '';
$t->nginx(<<"CONF");
    larder_zone 4m;
    larder_valid 1m;
    proxy_http_version 1.1;
    server {
        listen \@nginx\@;
        listen \@h2\@ http2;
        larder near;
        location / { $pass proxy_pass http://\@backend\@; }
        location /silent/ { proxy_pass http://\@backend\@; }
        location /esi/ { larder_esi on; $pass proxy_pass http://\@backend\@; }
        location /added/ { add_trailer X-Added yes; $pass proxy_pass http://\@backend\@; }
    }
CONF
my @trailers = (chunked => JSON::PP::true, headers => [['Trailer', 'X-Sum']], trailers => [['X-Sum', '1']]);
my %own = (@trailers, headers => [['Trailer', 'X-Sum'], ['Cache-Control', 'private']]);
$backend->set(map { ($_ => {@trailers, body => 'the page'}) } qw(/page /h2 /silent/page /added/page /esi/part));
$backend->set('/esi/page' => {@trailers, body => '[<esi:include src="/esi/part"/>]'}, '/own' => {%own, body => 'own'}, '/silent/own' => {%own, body => 'own'});
my $ask = sub { my ($path) = @_; return $t->raw("GET $path HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n") };

for my $path (qw(/page /silent/page /esi/page)) {
    my @answers = map { $ask->($path) } 1 .. 3;
    like $answers[-1], qr/X-Larder: HIT\r/, "$path is kept";
    unlike $_, qr/X-Sum|^Trailer:/mi, '... and neither has trailers nor promises any' for @answers;
    like $_, qr/the page/, '... and is whole' for @answers;
}
for my $status (qw(MISS HIT)) {
    my $answer = $ask->('/added/page');
    like $answer, qr/X-Larder: $status\r.*\r\n0\r\nX-Added: yes\r\n\r\n\z/s, "add_trailer: on a $status";
    unlike $answer, qr/X-Sum/, '... without those of the site';
}
for (1 .. 2) {
    my $own = $ask->('/own');
    like $own, $passes ? qr/^Trailer: X-Sum\r.*\r\n0\r\nX-Sum: 1\r\n\r\n\z/ms : qr/own/, 'what is not kept has them if nginx passes them on';
    unlike $_, qr/X-Sum/, '... else it promises none' for $passes ? () : $own, $ask->('/silent/own');
}

# HTTP/2 at frame level: no frame of the stream follows the end of its data, and no frame has a trailer's name.
sub frame { my ($type, $flags, $stream, $payload) = @_; return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload }
for my $status (qw(MISS HIT)) {
    my $s = Larder::Test::listens($t->address('h2'));
    print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''), frame(1, 5, 1, "\x82\x86\x04\x03/h2\x01\x01h");
    $s->flush;
    my ($came, @frames) = ('');
    while (!@frames || !grep { $_->[0] < 2 && $_->[1] & 1 } @frames) {
        last unless sysread $s, $came, 1 << 16, length $came;
        (@frames, my $at) = ();
        for ($at = 0; length($came) >= $at + 9; $at += 9 + $frames[-1][2]) {
            push @frames, [(unpack 'x3CC', substr $came, $at, 9), unpack 'N', "\0" . substr $came, $at, 3];
        }
    }
    is join(' ', map { $_->[0] } grep { $_->[0] < 2 } @frames), '1 0', "HTTP/2, $status: a header and data";
    unlike $came, qr/x-sum/, '... no trailers';
}
done_testing;
