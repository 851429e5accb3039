# A page that can't be stored costs the backend one render per request, for visitors with and without a session, as without a
# cache; and every visitor gets the answer to their own complete request.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    server {
        listen @nginx@;
        location / {
            larder near;
            larder_valid 1h;
            larder_cookie sessionid presence;
            proxy_pass http://@backend@;
        }
    }
CONF
my $echo = '{header:User-Agent} {header:Accept-Language} {header:Cookie} {header:X-Custom}';
my %never = map { ($_->[0] => {body => $echo, headers => [[@$_[1, 2]]]}) } ['/search', 'Cache-Control', 'no-store'], ['/orders/*', 'Cache-Control', 'private'],
    ['/users/*', 'Cache-Control', 'private, no-cache'], ['/start*', 'Set-Cookie', 'id={n}'];
$backend->set(%never, '/page*' => {body => $echo});
my %urls = ('/search' => sub { "/search?q=word$_[0]&page=1" }, '/orders/*' => sub { "/orders/$_[0]/" }, '/users/*' => sub { "/users/$_[0]/profile" }, '/start*' => sub { "/start$_[0]" });
my @browser = ('User-Agent' => 'Mozilla/5.0', Accept => 'text/html,*/*;q=0.8', 'Accept-Language' => 'de', 'Accept-Encoding' => 'gzip', Referer => 'http://a/', 'X-Custom' => 'c');
my %visitors = (
    'a browser'      => [[@browser, Cookie => 'csrftoken=abc; _ga=1'], 'Mozilla/5.0 de csrftoken=abc; _ga=1 c'],
    'a new browser'  => [[@browser], 'Mozilla/5.0 de  c'],
    'a session'      => [[@browser, Cookie => 'sessionid=ann'], 'Mozilla/5.0 de sessionid=ann c'],
);
# Reports what became of each page if one result is not as expected.
my $pages = sub {
    my ($first, $last, $expected, $what) = @_;
    my @answers = map { $t->get("/page/$_", headers => \@browser) } $first .. $last;
    is_deeply [map { $_->larder } @answers], [map { $expected } @answers], $what or diag map { ($_->header('Cache-Status') // $_->status) . "\n" } @answers;
};
$pages->(1, 20, 'MISS', 'pages that can be kept are kept from the first');
my $n = 0;
for my $kind (sort keys %urls) {
    for my $who (sort keys %visitors) {
        my ($headers, $expected) = @{$visitors{$who}};
        my $before = $backend->count;
        my @wrong  = grep { $_ ne $expected } map { $t->get($urls{$kind}->(++$n), headers => $headers)->body } 1 .. 100;
        is_deeply \@wrong, [], "$kind, $who: each answer is for the complete request";
        cmp_ok $backend->count - $before, '<=', $who eq 'a session' ? 100 : 102, '... at one render each';
    }
}
my $before = $backend->count;
$t->get("/tool/search?q=$_&header=Cache-Control:+no-store", headers => ['User-Agent' => 'curl/8', Accept => '*/*']) for 1 .. 50;
is $backend->count - $before, 50, 'a client that sends only User-Agent causes no second request';

$pages->(1, 20, 'HIT', 'the pages beside them are hits');
$pages->(21, 40, 'MISS', '... and new ones are kept from the first');
like $t->get('/search?q=x&page=1', headers => \@browser)->header('Cache-Status'), qr/fwd=bypass; detail=forecast/, 'Cache-Status says what was guessed';
$backend->set('/search' => {body => 'now for all'});
ok $t->await(sub { $t->get('/search?q=again&page=1', headers => \@browser)->larder eq 'HIT' }), 'a page that looks storable is kept the next time';
$t->get("/search?q=again$_&page=1", headers => \@browser) for 1 .. 40;
is $t->get('/search?q=new&page=1', headers => \@browser)->larder, 'MISS', '... and soon all of its kind are';

done_testing;
