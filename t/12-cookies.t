# The backend sees only the cookies that are in the key, so no visitor's page reaches another visitor.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    server {
        listen @nginx@;
        location / {
            larder near;
            larder_valid 1m;
            larder_cookie lang value;
            larder_cookie sid presence;
            proxy_pass http://@backend@;
        }
    }
CONF
$backend->set(
    '/page*'    => {body => '{cookie:lang}/{cookie:sid}/{cookie:session}'},
    '/account*' => {body => 'account of {cookie:session}', headers => [['Cache-Control', 'private']]},
    '/login*'   => {body => 'session was {cookie:session}', headers => [['Set-Cookie', 'session=fresh-{n}']], status => 200},
);
sub page { my ($path, $cookies) = @_; return $t->get($path, headers => [Cookie => $cookies]) }

is page('/page', 'lang=de; session=alice; _ga=1')->body, 'de//', 'cookies outside the key do not reach the backend';
my $again = page('/page', 'session=bob; lang=de');
is $again->larder, 'HIT', 'another visitor, other cookies, another order: the same page';
is page('/page', 'lang=fr; session=bob')->body, 'fr//', 'a value that the key holds makes a page of its own';
is page('/page', 'lang=')->body, page('/page', '')->body, 'an empty cookie is no cookie';
ok !(grep { /session|_ga|alice|bob/ } map { my $r = $_; map { $$_[1] } @{$r->{headers}} } $backend->log),
    'no request in all this carried what the key does not hold';

# A visitor with a session gets the site's own answer, at once, and nothing of it is stored.
my $before = $backend->count('/page');
my $mine   = page('/page', 'lang=de; sid=alice; session=x');
is_deeply [$mine->body, $mine->larder], ['de/alice/x', 'PASS'], 'with a session: the page of the site, for the request as it came';
is page('/page', 'lang=de; sid=bob')->body, 'de/bob/', '... each their own';
is $backend->count('/page'), $before + 2, '... with one render for each request';
like $mine->header('Cache-Status'), qr/fwd=bypass; detail=session/, '... and Cache-Status says why';
is_deeply [map { $_->larder } page('/page', 'lang=de'), page('/page', 'lang=de; sid=')], ['HIT', 'HIT'], 'those without, or who logged out, have theirs from cache';
is page('/other', 'sid=alice')->larder, 'PASS', 'a session is the first to ask';
is_deeply [map { page('/other', '')->larder } 1 .. 2], ['MISS', 'HIT'], '... and the page is kept all the same, as others ask for it';
$backend->set('/held' => {hold => 1});
my $waiting = $t->load(['/held'], clients => 1);
ok $t->await(sub { $backend->stats->{active} == 1 }), 'while the page is made for another';
my $busy = $t->load(['/held'], clients => 1, headers => [Cookie => 'sid=alice']);
ok $t->await(sub { $backend->stats->{active} == 2 }), '... a session does not wait for it';
$backend->release;
$_->stop for $waiting, $busy;

is page('/account', 'session=alice')->body, 'account of alice', 'an answer that proves personal is asked for with all cookies';
is page('/account', 'session=bob')->body, 'account of bob', '... for each visitor';
is page('/account', 'session=bob; lang=de')->body, 'account of bob', '... with any other cookie';
my $seen = $backend->count('/account');
is page('/account', 'session=carol')->body, 'account of carol', 'and now that this is known';
is $backend->count('/account'), $seen + 1, '... the backend is asked only once for it';

my @logins = map { page('/login', "session=$_") } qw(alice bob);
is $logins[0]->body, 'session was alice', 'a page that sets a cookie is asked for with all cookies';
isnt $logins[0]->header('Set-Cookie'), undef, '... and the cookie arrives';
isnt $logins[1]->header('Set-Cookie'), $logins[0]->header('Set-Cookie'), '... at one visitor only: it is never kept';

done_testing;
