# A failure (larder_error_status) does not replace the page, whatever lifetime it states for itself.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_refresh inline;
    larder_stale while=1h;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /any { larder_valid any 1m; proxy_pass http://@backend@; }
        location /own { larder_error_status 404 render=410; proxy_pass http://@backend@; }
    }
CONF
my $good = {body => 'good', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]};
my $fresh = {body => 'new', headers => [['Cache-Control', 'max-age=60']]};

for my $failure (['/page', 503], ['/any', 503], ['/page', 429], ['/any', 429], ['/page', 403], ['/any', 403], ['/own', 404], ['/own', 410]) {
    my ($place, $status) = @$failure;
    my $path = "$place/$status";
    $backend->set($path => $good);
    $t->get($path);
    my $asked = $backend->count($path);
    $backend->set($path => {status => $status, body => 'bad', headers => $place eq '/any' ? [] : [['Cache-Control', 'max-age=60']]});
    is $t->get($path)->body, 'good', "$path: a stale page, while it is made anew";
    ok $t->await(sub { $backend->count($path) > $asked }), '... which fails';
    my @answers = map { $t->get($path) } 1 .. 20;
    is scalar(grep { $_->status == 200 && $_->body eq 'good' } @answers), 20, '... so that the page stays';
    $backend->set($path => $fresh);
    ok $t->await(sub { $t->get($path)->body eq 'new' }, 'the new page', 20), '... until the site answers again';
    $backend->set("$path-new" => {status => $status, body => 'bad', headers => [['Cache-Control', 'max-age=60']]});
    is join(' ', map { $t->get("$path-new")->larder } 1 .. 2), 'MISS HIT', '... and it is kept where there is no page, if it says so';
}

# An answer that is no failure replaces it.
for my $answer (['/page', 404], ['/own', 503]) {
    my ($place, $status) = @$answer;
    my $path = "$place/now-$status";
    $backend->set($path => $good);
    $t->get($path);
    $backend->set($path => {status => $status, body => 'gone', headers => [['Cache-Control', 'max-age=60']]});
    ok $t->await(sub { $t->get($path)->status == $status }), "$path: the answer replaces the page";
}

# A visitor whose page is usable only on error gets it if the answer is a failure, and otherwise gets the answer.
my $expired = {body => 'good', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=0, stale-if-error=600']]};
for my $case ([429, 200, 'ERROR-STALE'], [500, 200, 'ERROR-STALE'], [403, 403, 'MISS']) {
    my ($status, $seen, $larder) = @$case;
    $backend->set("/visitor/$status" => $expired);
    $t->get("/visitor/$status");
    $backend->set("/visitor/$status" => {status => $status, body => 'bad'});
    my $answer = $t->get("/visitor/$status");
    is_deeply [$answer->status, $answer->larder], [$seen, $larder], "a visitor's $status";
}

# A stored failure is never served stale.
$backend->set('/short' => {status => 503, body => 'bad {n}', headers => [['Cache-Control', 'max-age=1, stale-while-revalidate=600, stale-if-error=600']]});
is join(' ', map { $t->get('/short')->larder } 1 .. 2), 'MISS HIT', 'a failure that says for how long is kept';
my %how;
ok $t->await(sub { my $r = $t->get('/short'); $how{$r->larder}++; $r->body ne 'bad 1' }), '... for so long';
ok !$how{STALE}, '... and never served stale';

# Retry-After: the site is left alone for that time.
$backend->set('/rest' => $good, '/no-rest' => $good);
$t->get($_) for '/rest', '/no-rest';
$backend->set('/rest' => {status => 503, headers => [['Retry-After', '600']]}, '/no-rest' => {status => 503});
$t->get('/rest');
ok $t->await(sub { $backend->count('/rest') == 2 }), 'a refresh is told to come again later';
ok $t->await(sub { $t->get('/rest'); $t->get('/no-rest'); $backend->count('/no-rest') >= 4 }, 'three refreshes', 20), '... while others are tried again soon';
is $backend->count('/rest'), 2, '... and does not come before';
done_testing;
