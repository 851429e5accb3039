# Files served by nginx itself, by index and try_files, or by X-Accel-Redirect. Small ones are stored like pages, large ones
# pass.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $small   = join '', map { "line $_\n" } 1 .. 2000;
my $large   = 'x' x (8 << 20);
$t->file('www/a/small.txt', $small);
$t->file('www/a/large.bin', $large);
$t->file('www/a/empty.txt', '');
$t->file('www/a/style.css', 'as it is');
$t->file('www/a/style.css.gz', 'compressed before');
$t->file('www/a/index.html', 'the index');
$t->file('www/secret/small.txt', 'a secret');
chmod 0644, glob $t->dir . '/www/a/*';
utime 1e9, 1e9, $t->dir . '/www/a/small.txt';
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1m;
    larder_max_size 1m;
    root @dir@/www;
    server {
        listen @nginx@;
        larder near;
        location /a/ { }
        location /send/ { alias @dir@/www/a/; sendfile on; output_buffers 1 4k; open_file_cache max=10; }
        location /aio/ { alias @dir@/www/a/; sendfile on; aio threads; directio 512k; }
        location /zipped/ { larder_encoding gzip; gzip_static on; alias @dir@/www/a/; }
        location /try/ { try_files $uri /a/small.txt; }
        location /list/ { alias @dir@/www/; autoindex on; }
        location /site/ { proxy_pass http://@backend@; }
        location /hidden/ { internal; alias @dir@/www/secret/; }
        location /files/ { internal; larder off; alias @dir@/www/a/; }
        location /kept-files/ { internal; alias @dir@/www/a/; }
    }
CONF
sub twice { my ($path, @o) = @_; return map { $t->get($path, @o) } 1 .. 2 }
my $seen = sub { return join ' ', $_[0]->status, length $_[0]->body, $_[0]->larder };

for my $place (qw(a send aio)) {
    my ($miss, $hit) = twice("/$place/small.txt");
    is_deeply [map { $seen->($_) } $miss, $hit], ['200 ' . length($small) . ' MISS', '200 ' . length($small) . ' HIT'], "/$place/: a file is kept";
    is $hit->body, $small, '... as it is';
    is $hit->header('Last-Modified'), 'Sun, 09 Sep 2001 01:46:40 GMT', '... with its date';
    is $hit->header('ETag'), $miss->header('ETag'), '... and its ETag';
    is $hit->header('Content-Type'), 'text/plain', '... and its type';
    is $t->get("/$place/small.txt", headers => [Range => 'bytes=-7'])->body, substr($small, -7), '... and ranges of it';
    is $t->get("/$place/small.txt", headers => ['If-None-Match' => $miss->header('ETag')])->status, 304, '... and 304';
    is_deeply [map { $seen->($_) } twice("/$place/empty.txt")], ['200 0 MISS', '200 0 HIT'], '... even an empty one';
    my @large = twice("/$place/large.bin");
    is_deeply [map { $seen->($_) } @large], ['200 ' . length($large) . ' MISS', '200 ' . length($large) . ' PASS'], "/$place/: one over the limit passes";
    like $large[0]->header('Cache-Status'), qr/detail=too-large/, '... which says why';
    is $t->get("/$place/large.bin", headers => [Range => 'bytes=100-199'])->status, 206, '... with ranges';
    is $t->get("/$place/none")->status, 404, '... and what is not there is not';
}
is $t->get('/a/')->body, 'the index', 'an index';
is_deeply [map { $_->body } twice('/a/')], [('the index') x 2], '... the index is served again';
is_deeply [map { $seen->($_) } twice('/try/nothing')], ['200 ' . length($small) . ' MISS', '200 ' . length($small) . ' HIT'], 'try_files';
like $_->body, qr{<a href="secret/">}, 'a listing' for twice('/list/');

# X-Accel-Redirect: a file that the site allows this visitor.
for my $place (qw(files kept-files)) {
    $backend->set("/site/$place/$_" => {headers => [['X-Accel-Redirect', "/$place/$_"]]}) for qw(small.txt large.bin);
    is $_->body, $small, "X-Accel-Redirect to /$place/: the file" for twice("/site/$place/small.txt");
    is length $_->body, length $large, '... a large one, too' for twice("/site/$place/large.bin");
    is $t->get("/$place/small.txt")->status, 404, '... which nobody gets without the site';
}
$backend->set('/site/may' => {headers => [['X-Accel-Redirect', '/hidden/small.txt'], ['Cache-Control', 'private']]});
is $t->get('/site/may')->body, 'a secret', 'a file for one visitor';
$backend->set('/site/may' => {status => 403, body => 'no'});
is $t->get('/site/may')->body, 'no', '... is kept for nobody' or diag $t->get('/site/may')->header('Cache-Status');

for my $expected ('MISS', 'HIT') {
    my $zipped = $t->get('/zipped/style.css', headers => ['Accept-Encoding' => 'gzip']);
    is_deeply [$zipped->body, $zipped->header('Content-Encoding'), $zipped->larder], ['compressed before', 'gzip', $expected], "gzip_static finds its file: $expected";
    is_deeply [map { $_->body, $_->larder } $t->get('/zipped/style.css')], ['as it is', $expected], '... for those who take it';
}

done_testing;
