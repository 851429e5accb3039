# Store, backend and workers die in random order under load: cached pages are served, and nobody gets another visitor's page.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $memcached = $t->memcached;
my $nginx = $t->nginx(<<'CONF', workers => 2);
    larder_zone 8m;
    larder_store redis redis://@redis@ timeout=200ms;
    larder_store memcached memcached://@memcached@ timeout=200ms;
    larder_valid 1m;
    larder_cookie lang value;
    larder_esi auto;
    proxy_read_timeout 2s;
    server {
        listen @nginx@;
        location / { larder near; proxy_pass http://@backend@; }
        location /redis/ { larder redis; proxy_pass http://@backend@; }
        location /memcached/ { larder memcached; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
    }
CONF
$t->expect_log(qr/exited on signal 9/, qr/shared memory zone "larder" was locked by/);
my $swr = ['Cache-Control', 'max-age=0, stale-while-revalidate=600'];
my $inside = '{path} in {cookie:lang}';
$backend->set(
    '/*'       => {body => $inside},
    (map { ("$_/stale" => {body => $inside, headers => [$swr]}) } '', '/redis', '/memcached'),
    (map { ("$_/esi" => {body => "$inside <esi:include src=\"/part\"/>",
            headers => [['Surrogate-Control', 'max-age=0+600, content="ESI/1.0"']]}) } '', '/redis', '/memcached'),
);
my @requests = map {
    my $path = $_;
    map { {path => $path, headers => [Cookie => "lang=$_; session=$$"]} } qw(de fr)
} map { ("$_/fresh", "$_/stale", "$_/esi") } '', '/redis', '/memcached';
for my $request (@requests, {path => '/part', headers => [Cookie => 'lang=de']}, {path => '/part', headers => [Cookie => 'lang=fr']}) {
    my $path = $request->{path};
    is $t->request(%$request)->status, 200, "held: $path";
}

my $load = $t->load(\@requests, clients => 16, wrong => sub {
    my ($r) = @_;
    return unless $r->complete;
    return 'status' if $r->status != 200;
    my ($lang) = $r->{request}{headers}[1] =~ /lang=(\w+)/;
    my $expected = "$r->{request}{path} in $lang";
    $expected .= " /part in $lang" if $expected =~ m{/esi};
    return $r->body eq $expected ? '' : 'body ' . unpack 'H*', $r->body;
});
my $seed = $ENV{LARDER_TEST_SEED} || time;
note "LARDER_TEST_SEED=$seed";
srand $seed;
my @fates = (
    (map { my $part = $_; (sub { $part->kill; sub { $part->restart } }, sub { $part->freeze; sub { $part->thaw } }) } $redis, $memcached),
    sub { $backend->kill; sub { $backend->restart } },
    sub { kill KILL => ($nginx->workers)[rand 2]; sub { } },
    sub { $nginx->reload; sub { } },
);
my $go_on = sub { my $from = $load->count; $t->await(sub { $load->count > $from + 100 }, 'the load goes on', 20) };
for my $round (1 .. 12) {
    my @restores = map { $_->() } grep { rand() < 0.4 } @fates;
    ok $go_on->(), "round $round: load goes on with " . @restores . ' parts harmed';
    $_->() for @restores;
    ok $go_on->(), "round $round: ... and when they are back";
}
my @answers = $load->stop;
# If a worker dies inside a critical section of the zone, the zone is emptied. Then, and only then, a visitor may notice that the backend
# is dead.
my $emptied = $t->counters->{recoveries};
my %wrong;
$wrong{"$_->{path} $_->{larder} $_->{wrong}"}++ for grep { $_->{wrong} && !($emptied && $_->{wrong} eq 'status') } @answers;
is_deeply \%wrong, {}, 'every answer was the right page' or diag "LARDER_TEST_SEED=$seed";

done_testing;
