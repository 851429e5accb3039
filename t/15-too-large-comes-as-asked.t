# A page too large to store is sent as it was requested: a range of it, or only if it has changed.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->file('www/large', 'x' x 20_000);
chmod 0644, $t->dir . '/www/large';
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_max_size 10k;
        proxy_http_version 1.1;
        location / { proxy_pass http://@backend@; }
        location /file/ { alias @dir@/www/; }
        location /esi { larder_esi on; proxy_pass http://@backend@; }
    }
CONF
my @large = (size => 20_000, etag => '"v1"', ranges => 1, type => 'video/mp4', headers => [['Last-Modified', 'Mon, 01 Jan 2024 00:00:00 GMT'], ['Accept-Ranges', 'bytes']]);
$backend->set('/large' => {@large}, '/varied' => {size => 20_000, headers => [['Vary', 'X-A']]}, '/esi' => {size => 20_000});

like $t->get('/large?why')->header('Cache-Status'), qr/detail=too-large/, 'what is too large says so';
my @asks = (
    ['a range',                 206, 10,     Range => 'bytes=0-9'],
    ['its end',                 206, 5,      Range => 'bytes=19995-'],
    ['a range if unchanged',    206, 5,      Range => 'bytes=5-9', 'If-Range' => '"v1"'],
    ['it if changed',           304, 0,      'If-None-Match' => '"v1"'],
    ['all of it',               200, 20_000, Accept => 'video/*'],
);
for my $ask (@asks) {
    my ($what, $status, $length, @headers) = @$ask;
    (my $path = "/large?$what") =~ s/ /-/g;
    for my $time ('first', 'again') {
        my $answer = $t->get($path, headers => \@headers);
        is_deeply [$answer->status, length $answer->body], [$status, $length], "$what, $time";
    }
}
is $t->get('/large?head', method => 'HEAD', headers => [Range => 'bytes=0-9'])->status, 206, 'HEAD with a range is the site\'s to answer';

# nginx itself cuts a range out of a file.
my $part = $t->get('/file/large', headers => [Range => 'bytes=0-9']);
is_deeply [$part->status, length $part->body], [206, 10], 'a range of a large file';

# Of a page of fragments no range is sent, so the backend is not asked a second time for one.
is $t->get('/esi', headers => [Range => 'bytes=0-9'])->status, 200, 'a range of a large page with fragments';
is $backend->count('/esi'), 1, '... which is asked for once';

# An answer that varies on a header which the reduced request lacked is requested again with that header.
$t->get('/varied', headers => ['X-A' => $_]) for 1, 2;
my @seen = map { my %sent = map { lc $_->[0] => $_->[1] } @{$_->{headers}}; $sent{'x-a'} // () } grep { $_->{path} eq '/varied' } $backend->log;
is_deeply \@seen, [1, 2], 'a large answer that varies is each client\'s own';
done_testing;
