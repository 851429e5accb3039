# A large page that is stored into a full zone evicts about as many bytes as it has. It is correct to the last byte, however
# scattered its memory is: whole, in ranges, as a fragment, and with a fragment.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 6m;
    larder_valid 1h;
    larder_esi on size=1m;
    server {
        listen @nginx@;
        location / { larder near; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
    }
CONF

sub lines { return join '', map { sprintf "%07d\n", $_ } $_[0] .. $_[1] }
my $large = lines(1, 80_000);    # 640,000 bytes
my $part  = lines(1, 25_000);
my ($head, $tail) = (lines(1, 10_000), lines(10_001, 20_000));
my $etag = [['ETag', '"large"']];
$backend->set(
    '/large' => {body => $large, headers => $etag},
    '/part'  => {body => $part},
    '/page'  => {body => "$head<esi:include src=\"/part\"/>$tail"},
);
my $pages = 0;
sub small { return $nginx->get("/small/$_[0]?size=" . (2000 + 997 * $_[0] % 9000)) }
small(++$pages) until $nginx->counters->{evictions};
# Pages that are requested again stay; their neighbours are evicted and leave holes.
my @kept = grep { $_ % 3 } $pages / 2 .. $pages;
select undef, undef, undef, 1.1;    # the zone's precision of "last used"
small($_) for @kept;

my $evictions = $nginx->counters->{evictions};
$nginx->get('/large');
cmp_ok $nginx->counters->{evictions} - $evictions, '<', 250, 'about as many small pages go as the large one has bytes';
is $nginx->get('/large')->larder, 'HIT', 'the large page is kept';
is $nginx->get('/large')->body, $large, '... right to the last byte';
is scalar(grep { small($_)->larder ne 'HIT' } @kept), 0, '... and so are the pages that were in use';

my $range = $nginx->get('/large', headers => [Range => 'bytes=100000-499999']);
is $range->status, 206, 'a range of it';
is $range->body, substr($large, 100_000, 400_000), '... has the bytes asked for';
my $ranges = $nginx->get('/large', headers => [Range => 'bytes=8-15,320000-320007,639992-639999']);
is $ranges->status, 206, 'several ranges';
like $ranges->body, qr/0000002\n.*0040001\n.*0080000\n/s, '... have theirs';
is $nginx->get('/large', headers => ['If-None-Match' => '"large"'])->status, 304, 'it is validated';
is $nginx->head('/large')->header('Content-Length'), length $large, 'HEAD says how long it is';

my $whole = "$head$part$tail";
is $nginx->get('/page')->body, $whole, "a page assembled from what comes, time $_" for 1 .. 2;
small(10_000 + $_) for 1 .. 100;
is $nginx->get('/page')->body, $whole, "... and from the zone, time $_" for 1 .. 3;
is $nginx->get('/page')->larder, 'HIT', '... which has it';
done_testing;
