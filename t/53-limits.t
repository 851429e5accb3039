# Limits: concurrency of backends, deadlines, back-off.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $other   = $t->backend(name => 'other');
my $redis   = $t->redis;
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600']], delay => 0.02}, '/hang' => {fault => 'hang'});
$other->set('/*' => {headers => [['Cache-Control', 'max-age=600']], delay => 0.02});
my $d = Larder::Test::Daemon->start($t, backend => "concurrency = 3\ntimeout = \"400ms\"", more => <<'TOML');
[render]
concurrency = 40
[[backend]]
name = "other"
hosts = ["other.example"]
url = "http://@other@"
host_header = "inside.example:81"
concurrency = 5
headers = { X-Secret = "shared with the backend" }
TOML
(my $toml = $t->read_file($t->dir . '/larderd.toml')) =~ s/hosts = \["\*"\]/hosts = ["*.example.com", "example.com"]/;
$t->file('larderd.toml', $toml);
$d->reload;
$t->await(sub { $d->log =~ /settings reloaded/ }, 'reload');

$d->ask('warm', (map { "http://example.com/p$_" } 1 .. 60), map { "http://other.example/p$_" } 1 .. 60);
ok $d->await_jobs(stored => 120), '120 pages of two backends are rendered';
is $backend->stats->{max_active}, 3, '... and one backend had at most as many at once as it may have';
is $other->stats->{max_active}, 5, '... the other one, too';
my %asked = map { $_->[0] => $_->[1] } @{($other->log)[0]{headers}};
is $asked{Host}, 'inside.example:81', 'host_header replaces the Host';
is $asked{'X-Secret'}, 'shared with the backend', 'further headers are sent';
is $d->status->{backends}{site}{in_flight}, 0, 'all have left';

$d->ask('warm', 'http://elsewhere.org/');
ok $d->await_jobs(refused => 1), 'a host that no backend renders is refused';
like $d->log, qr{no \[\[backend\]\] renders its host}, '... with a reason';

$d->ask('warm', 'http://example.com/hang');
ok $d->await_jobs(given_up => 1), 'a backend that hangs is given up';
is $backend->count('/hang'), 5, '... after so many attempts';
my @at;
my $log = $d->log;
push @at, 60 * (60 * $1 + $2) + $3 while $log =~ m{T(\d\d):(\d\d):(\d\d\.\d+) .*/hang .*(?:failed|given_up)}g;
my @waits = map { $at[$_] - $at[$_ - 1] } 1 .. $#at;
cmp_ok $waits[$_], '>=', 0.4 + 0.025 * 2**$_, "... attempt @{[$_ + 2]} not before the timeout and half of the back-off have gone by" for 0 .. 3;
$d->ask('warm', 'http://example.com/hang');
is $d->status->{queue}{queued}, 0, '... and for a while asking for it does not queue it again';
done_testing;
