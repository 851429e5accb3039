# Settings: samples, manual and larderd agree; errors are reported; a reload takes effect as a whole or not at all.
use Larder::Test;
use Larder::Test::Daemon;

my $t = Larder::Test->new;
my $check = sub { $t->run_command([$t->larderd_path, '--check', '-c', $_[0]]) };
my (undef, $list) = $t->run_command([$t->larderd_path, '--list-settings']);
my @settings = map { [split /\t/] } split /\n/, $list;
cmp_ok @settings, '>', 50, 'larderd --list-settings knows them all';

for my $sample (qw(larderd.toml larderd-minimal.toml)) {
    my ($code, $said) = $check->($t->root . "/conf/$sample");
    is $code, 0, "conf/$sample is valid" or diag $said;
}
my ($manual, $sample, $section) = map { $t->read_file($t->root . "/$_") } qw(docs/larderd.md conf/larderd.toml);
my (@in_manual, @in_sample, @undocumented);
for (split /\n/, $manual) {
    $section = $1 if /^### `(\[+\w+\]+)`/;
    next unless $section && /^\| `(\w+)` \| `(.*?)` \| (.*?) \| (reload|restart) \| (.*) \|$/;
    push @in_manual, [$section, $1, $2, $3, $4 eq 'reload' ? 'live' : 'restart', $5];
}
my @listed = map { [@$_[0, 1, 3 .. 6]] } @settings;
is_deeply \@in_manual, \@listed, 'docs/larderd.md has each setting as the daemon has it';
my @lines = split /\n/, $sample;
for my $n (0 .. $#lines) {
    $section = $lines[$n] if $lines[$n] =~ /^\[/;
    next unless $lines[$n] =~ /^(\w+) = / && $section ne '[[database.replica]]';
    push @in_sample, [$section, $1, $lines[$n - 1]];
}
my @expected = map { [@$_[0, 1], "# $_->[6]" . ($_->[5] eq 'live' ? '' : ' (restart)')] } grep { "@$_[0, 1]" ne '[[database]] replica' } @settings;
is_deeply \@in_sample, \@expected, 'conf/larderd.toml has each setting with its sentence';

my ($code, $said) = $check->($t->file('bad.toml', "[queue]\nlease = \"5 s\"\n[[backends]]\nurl = 1\n"));
is $code, 1, 'larderd --check refuses what is wrong';
is $said, join('', map { $t->dir . "/bad.toml$_\n" } ':2: queue.lease: \'5 s\' is not legal; legal: a duration, "2s" to "10m"',
    ':3: unknown section "backends"; legal: api, signing, queue, store, purge, nginx, backend, render, database, warm, prerender, log',
    ': there is no [[store]]; legal: at least one', ': there is neither a [[backend]] nor a key under [signing], with which nginx is asked for pages; legal: one of them'),
    '... all of it, with line, value, and what would be legal';
is(($check->($t->dir . '/missing.toml'))[0], 1, 'a file that is missing is an error');
is(($t->run_command([$t->larderd_path, '--no-such-option']))[0], 2, 'wrong usage is exit code 2');
is(($t->run_command([$t->larderctl_path, 'frobnicate']))[0], 2, '... of larderctl, too');

my $backend = $t->backend;
my $redis   = $t->redis;
my $d = Larder::Test::Daemon->start($t);
my $good = $t->read_file($t->dir . '/larderd.toml');
$t->file('larderd.toml', "$good\nnonsense = true\n");
$d->reload;
ok $t->await(sub { $d->log =~ /the old settings stay: .*unknown setting "nonsense"/ }, 'refusal'), 'a reload of a wrong file changes nothing and says why';
is $d->status->{draining}, JSON::PP::false(), '... and larderd goes on';
(my $changed = $good) =~ s/a-token-for-tests/another-token-for-tests/;
$changed =~ s/redis:\S+\/0"/redis:\/\/127.0.0.1:1\/0"/;
$t->file('larderd.toml', $changed);
$d->reload;
ok $t->await(sub { $d->log =~ /settings reloaded/ }, 'reload'), 'a reload of a good one takes effect';
like $d->log, qr/queue.url changed; it takes effect after a restart/, '... but for what needs a restart, which is told';
is(($d->ctl('status'))[0], 1, 'the old token is refused from then on');
{
    local $Larder::Test::Daemon::token = 'another-token-for-tests';
    is(($d->ctl('status'))[0], 0, '... and the new one accepted');
}
$t->file('larderd.toml', $good);
$d->reload;
$t->await(sub { ($d->ctl('status'))[0] == 0 }, 'old token back');

my $quiet = $t->larderd(Larder::Test::Daemon->toml(name => 'quiet') =~ s/level = "debug"/level = "error"/r, name => 'quiet');
unlike $quiet->printed, qr/taking jobs/, "log.level counts from the start";

my $ask = sub { $d->request(@_, anonymous => 1) };
is $ask->(path => '/healthz')->status, 200, 'without a token /healthz answers';
is $ask->(path => $_)->status, 401, "... $_ does not" for '/', '/metrics', '/v1/status', '/v1/explain?url=http://a/', '/no-such-page';
is $ask->(path => '/v1/purge', method => 'POST', body => '{"tags":["a"]}', headers => ['Content-Type' => 'application/json'])->status, 401, '... nor does a purge';
is $d->request(path => '/v1/purge', method => 'POST', body => '{"tags":["a"]}', headers => ['Content-Type' => 'text/plain'])->status, 415,
    'a POST that a web page could forge is refused';
is $d->request(path => '/no-such-page')->status, 404, 'an unknown path is 404';
like $d->request(path => '/metrics')->body, qr/^larderd_jobs_total\{outcome="stored"\} 0$/m, '/metrics are Prometheus metrics';
my $page = $d->request(path => '/');
like $page->body, qr{<h2>queue</h2>.*<small>url</small> http://}s, 'the status page is a page';
unlike $page->body, qr{<script|(?:src|href)=}, '... that loads nothing from elsewhere';
my ($ok, $top) = $d->ctl('top', '--count', 1);
like $top, qr/^.*larderd \S+, up \d+ s/, 'larderctl top shows the status';

for my $case (['unix:/nonexistent/x.sock', qr/the API cannot listen at/], [$backend->address, qr/the API cannot listen at/]) {
    (my $taken = $good) =~ s/listen = ".*?"/listen = "$case->[0]"/;
    my ($exit, $why) = $t->run_command([$t->larderd_path, '-c', $t->file('taken.toml', $taken)]);
    is $exit, 1, "larderd does not start when it cannot listen at $case->[0]";
    like $why, $case->[1], '... and says so';
}
$t->expect_log(qr/cannot listen/);
done_testing;
