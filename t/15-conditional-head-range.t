# 304, HEAD and ranges from one stored page; and a conditional request stores the complete page.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; } }
CONF
my $modified = 'Sat, 01 Jan 2022 00:00:00 GMT';
$backend->set('/*' => {size => 1000, etag => '"v1"', headers => [['Last-Modified', $modified]]});
my $body = $t->get('/page')->body;

my $same = $t->get('/page', headers => ['If-None-Match' => '"v0", W/"v1"']);
is $same->status, 304, 'If-None-Match that matches: 304';
is $same->body, '', '... without a body';
is $same->header('ETag'), '"v1"', '... with its ETag';
is $t->get('/page', headers => ['If-None-Match' => '"v2"'])->status, 200, 'If-None-Match that does not: the page';
is $t->get('/page', headers => ['If-Modified-Since' => $modified])->status, 304, 'If-Modified-Since: 304';

my $head = $t->head('/page');
is $head->larder, 'HIT', 'HEAD is answered from GET\'s page';
is $head->header('Content-Length'), 1000, '... with its length';
is $head->body, '', '... without its body';

my $part = $t->get('/page', headers => [Range => 'bytes=100-199']);
is $part->status, 206, 'a range of a kept page';
is $part->body, substr($body, 100, 100), '... is cut from it';
is $part->header('Content-Range'), 'bytes 100-199/1000', '... and says from where';
is $t->get('/page', headers => [Range => 'bytes=5000-'])->status, 416, 'a range outside of it: 416';
my $stale_part = $t->get('/page', headers => [Range => 'bytes=0-9', 'If-Range' => '"v0"']);
is length $stale_part->body, 1000, 'If-Range of another version: the whole page';
is $backend->count('/page'), 1, 'the backend was asked once for all of these';

# The first request asks for less than the page.
$t->get('/first-is-conditional', headers => ['If-None-Match' => '"v1"']);
$t->get('/first-is-range', headers => [Range => 'bytes=0-9']);
$t->head('/first-is-head');
for my $path (qw(/first-is-conditional /first-is-range /first-is-head)) {
    my $whole = $t->get($path);
    is $whole->status, 200, "$path: the next one";
    is length $whole->body, 1000, "$path: ... gets the whole page";
    is $t->get($path)->larder, 'HIT', "$path: ... which is kept";
}
ok !(grep { my %h = map { lc $$_[0] => 1 } @{$_->{headers}}; $h{range} || $h{'if-none-match'} || $h{'if-modified-since'} }
        grep { $_->{path} ne '/first-is-head' } $backend->log), 'the backend saw neither ranges nor conditions';

done_testing;
