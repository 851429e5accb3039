# When larderd renders a page, it also renders the page's stale fragments: each once, in the variant that matches the page.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s;
    server {
        listen @nginx@;
        server_name example.com;
        larder main;
        larder_esi on;
        location / { larder_cookie lang value; proxy_pass http://@backend@; proxy_set_header Host $host; }
        location = /larder_purge { larder_purge; }
    }
CONF
my $expired = [['Cache-Control', 'max-age=0, stale-while-revalidate=600']];
my $fresh   = [['Cache-Control', 'max-age=600']];
sub visit { my ($lang) = @_; return $t->get('/page', headers => [Host => 'example.com', Cookie => "lang=$lang"]) }
my %count = ('/page' => 0, map { ("/$_" => 0) } qw(a b c d));
# The number of renders of each since the last call.
sub renders {
    my %now = map { $_ => $backend->count($_) } keys %count;
    my %new = map { ($now{$_} > $count{$_} ? ($_ => $now{$_} - $count{$_}) : ()) } keys %now;
    %count = %now;
    return \%new;
}

my $template = '<esi:include src="/a"/><esi:include src="b?x=1"/><esi:include src="/c"/><esi:include src="/a"/>'
    . '<esi:include src="http://other.example/d" onerror="continue"/>'
    . '<esi:choose><esi:when test="1 == 2"><esi:include src="/d"/></esi:when></esi:choose>';
$backend->set('/page' => {headers => $expired, body => $template}, '/a' => {headers => $expired, body => '[a {n} {cookie:lang}]'},
    '/b' => {headers => $expired, body => '[b {n}]'}, '/c' => {headers => $fresh, body => '[c {n}]'});
is visit('de')->body, '[a 1 de][b 1][c 1][a 1 de]', 'a page of three fragments';
is $t->get('/a', headers => [Host => 'example.com', Cookie => 'lang=fr'])->body, '[a 2 fr]', 'one of them in another variant';
my $d = Larder::Test::Daemon->start($t);
renders();
$backend->set(map { my $path = $_; ($path => {headers => $fresh, body => $path eq '/page' ? $template : "[$path {n} {cookie:lang}]"}) } '/page', '/a', '/b');

# By larderctl refresh: a visit would make nginx itself enqueue the stale fragments.
my $idle = sub { my $q = $d->status->{queue}; $q->{queued} + $q->{running} == 0 };
$d->ask('refresh', $d->url('/page'));
ok $d->await_jobs(stored => 3), 'the page is rendered, and two of its fragments';
ok $t->await($idle, 'an empty queue'), '... and nothing else is left to do';
is_deeply renders(), {'/page' => 1, '/a' => 1, '/b' => 1}, '... each once: those that were due, in the variant of the page'
    or diag $d->log;
is visit('de')->body, '[/a 3 de][/b 2 de][c 1][/a 3 de]', 'who comes next finds all of it fresh';
is_deeply renders(), {}, '... without any render';
$d->ask('refresh', $d->url('/page'));
ok $d->await_jobs(stored => 4), 'once more';
ok $t->await($idle, 'an empty queue'), '... to its end';
is_deeply renders(), {'/page' => 1}, '... renders the page alone';

done_testing;
