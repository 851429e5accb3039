# Conditions and ranges in requests for a stored page: RFC 9111 section 4.3.2, RFC 9110 sections 13 and 14. Answered from cache
# alone.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server { listen @nginx@; location / { larder near; proxy_pass http://@backend@; } }
CONF
my ($date, $before, $after) = ('Sat, 01 Jan 2022 00:00:00 GMT', 'Fri, 31 Dec 2021 23:59:59 GMT', 'Sat, 01 Jan 2022 00:00:01 GMT');
$backend->set('/strong' => {size => 1000, etag => '"v1"', headers => [['Last-Modified', $date]]},
    '/weak' => {size => 1000, etag => 'W/"v1"'}, '/dated' => {size => 1000, headers => [['Last-Modified', $date]]}, '/bare' => {size => 1000});
my %body = map { $_ => $t->get($_)->body } qw(/strong /weak /dated /bare);

# [page, condition..., status]
my @conditions = (
    ['/strong', 'If-None-Match' => '"v1"', 304], ['/strong', 'If-None-Match' => 'W/"v1"', 304], ['/weak', 'If-None-Match' => '"v1"', 304],
    ['/strong', 'If-None-Match' => '*', 304], ['/bare', 'If-None-Match' => '*', 304], ['/strong', 'If-None-Match' => '"v"', 200],
    ['/strong', 'If-None-Match' => '"a", "v1" ,"b"', 304], ['/strong', 'If-None-Match' => 'v1', 200], ['/strong', 'If-None-Match' => '"V1"', 200],
    ['/strong', 'If-None-Match' => '"v1', 200], ['/strong', 'If-None-Match' => '', 200], ['/bare', 'If-None-Match' => '"v1"', 200],
    ['/strong', 'If-Modified-Since' => $date, 304], ['/dated', 'If-Modified-Since' => $date, 304], ['/strong', 'If-Modified-Since' => $before, 200],
    ['/strong', 'If-Modified-Since' => 'yesterday', 200], ['/bare', 'If-Modified-Since' => $date, 200],
    ['/strong', 'If-None-Match' => '"v0"', 'If-Modified-Since' => $date, 200], ['/strong', 'If-None-Match' => '"v1"', 'If-Modified-Since' => $before, 304],
    ['/strong', 'If-Match' => '"v0"', 200], ['/strong', 'If-Unmodified-Since' => $before, 200],  # for the origin
    ['/strong', 'If-Match' => '"v0"', 'If-None-Match' => '"v1"', 304], ['/dated', 'If-Modified-Since' => $after, 200],
);
for my $condition (@conditions) {
    my ($path, @headers) = @$condition;
    my $status = pop @headers;
    for my $method ('GET', 'HEAD') {
        my $r = $t->{nginx}->request(path => $path, method => $method, headers => [@headers]);
        my $expected = $status == 200 && $method eq 'GET' ? $body{$path} : '';
        is_deeply [$r->status, $r->body], [$status, $expected], "$method $path with @headers: $status";
    }
}
my $not_modified = $t->get('/strong', headers => ['If-None-Match' => '"v1"']);
is_deeply [map { $not_modified->header($_) } 'ETag', 'Last-Modified'], ['"v1"', $date], 'a 304 repeats the validators';
like $not_modified->header('Cache-Status'), qr/hit/, '... and Cache-Status';

# [page, Range and more..., status, Content-Range or the body's length]
my @ranges = (
    ['/strong', 'bytes=0-9', 206, 'bytes 0-9/1000'], ['/strong', 'bytes=990-', 206, 'bytes 990-999/1000'], ['/strong', 'bytes=-10', 206, 'bytes 990-999/1000'],
    ['/strong', 'bytes=0-5000', 206, 'bytes 0-999/1000'], ['/strong', 'bytes=1000-', 416, 'bytes */1000'], ['/strong', 'bytes=-0', 416, 'bytes */1000'],
    ['/weak', 'bytes=0-9', 206, 'bytes 0-9/1000'], ['/bare', 'bytes=0-9', 206, 'bytes 0-9/1000'],
    ['/strong', 'chapters=1-2', 200], ['/strong', 'bytes=9-0', 416, 'bytes */1000'], ['/strong', 'bytes=x', 416, 'bytes */1000'],
    ['/strong', 'bytes=0-9', 'If-Range' => '"v1"', 206, 'bytes 0-9/1000'], ['/strong', 'bytes=0-9', 'If-Range' => '"v0"', 200],
    ['/weak', 'bytes=0-9', 'If-Range' => 'W/"v1"', 200], ['/strong', 'bytes=0-9', 'If-Range' => $date, 206, 'bytes 0-9/1000'],
    ['/strong', 'bytes=0-9', 'If-Range' => $before, 200], ['/bare', 'bytes=0-9', 'If-Range' => '"v1"', 200],
    ['/strong', 'bytes=0-9', 'If-None-Match' => '"v1"', 304],
);
for my $range (@ranges) {
    my ($path, $field, @more) = @$range;
    my $content_range = $more[-1] =~ /^bytes/ ? pop @more : '';
    my $status = pop @more;
    my $r = $t->get($path, headers => [Range => $field, @more]);
    is_deeply [$r->status, $r->header('Content-Range') // ''], [$status, $content_range], "$path, Range: $field @more: $status";
    my ($from, $to) = $content_range =~ /(\d+)-(\d+)/;
    is $r->body, substr($body{$path}, $from, $to - $from + 1), '... with exactly these bytes' if $status == 206;
    is $r->body, $body{$path}, '... all of it' if $status == 200;
}
my $several = $t->get('/strong', headers => [Range => 'bytes=0-1,10-11,-2']);
is $several->status, 206, 'several ranges';
is scalar(() = $several->body =~ m{^Content-Range: bytes \d+-\d+/1000\r$}mg), 3, '... in parts';
is $backend->stats->{total}, 4, 'the backend was asked for each page once, and whole';

# A backend that answers with a range nobody asked for, or with a wrong length.
$backend->set('/partial' => {status => 206, size => 10, headers => [['Content-Range', 'bytes 0-9/1000']]}, '/marked' => {size => 10, headers => [['Content-Range', 'bytes 0-9/1000']]},
    '/overlong' => {size => 10, fault => 'overlong'});
$t->get($_) for qw(/partial /marked);
isnt $t->get($_)->larder, 'HIT', "$_: a part is not kept as the whole" for qw(/partial /marked);
is length $t->get('/overlong')->body, 10, 'what comes past the length is not part of the page' for 1 .. 2;

done_testing;
