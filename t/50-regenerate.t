# From a job to a stored entry: the request to the backend, the entry, and answers that must not be stored.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $d       = Larder::Test::Daemon->start($t);

$backend->set('/news' => {headers => [['Cache-Control', 'max-age=60'], ['Surrogate-Key', 'front news']], body => 'render {n}'});
is_deeply [$d->ctl('warm', $d->url('/news?page=2'))], [0, "queued 1\n"], 'larderctl warm queues a page';
ok $d->await_jobs(stored => 1), '... which is rendered and stored';
my ($asked) = $backend->log;
is_deeply $asked->{headers}, [['Host', 'example.com'], ['User-Agent', 'larderd'], ['X-Forwarded-Proto', 'http'], ['Surrogate-Capability', 'larder="ESI/1.0"']],
    'the backend sees the variant and nothing else';
is $asked->{target} // $asked->{path}, $asked->{target} ? '/news?page=2' : '/news', '... with its query';
my $entry = $d->entry('/news?page=2');
is $entry->{verdict}, 'fresh', 'larderctl explain finds the entry';
is_deeply $entry->{tags}, ['front', 'news'], '... with its tags';
ok !(grep { lc $_->[0] eq 'surrogate-key' } @{$entry->{headers}}), '... and without the headers that steer Larder';
cmp_ok $redis->cli('PTTL', "larder:e:$entry->{key}"), '>', 60_000, '... which Redis will drop by itself';

$d->ask('warm', $d->url('/news?page=2'));
ok $d->await_jobs(skipped => 1), 'a page that is fresh is not rendered again';
is $backend->count('/news'), 1, '... nor is the backend asked';
$d->ask('refresh', $d->url('/news?page=2'));
ok $d->await_jobs(stored => 2), 'larderctl refresh renders it all the same';

$backend->set('/news' => {status => 500});
$d->ask('refresh', $d->url('/news'));
ok $d->await_jobs(failed => 2), 'a 500 is tried again';
is $d->entry('/news?page=2')->{status}, 200, '... and does not replace the entry';
ok $d->await_jobs(given_up => 1), '... until it is given up';
is $backend->count('/news'), 2 + 5, '... after queue.attempts renders';
is $d->status->{queue}{given_up}, 1, '... which the status shows';

for my $fault (qw(truncate die close garbage bad-chunk)) {
    $backend->set("/$fault" => {fault => $fault, chunked => $fault eq 'bad-chunk' ? JSON::PP::true() : JSON::PP::false(), body => 'x' x 100});
    my $failed = $d->status->{jobs}{failed};
    $d->ask('warm', $d->url("/$fault"));
    ok $d->await_jobs(failed => $failed + 1), "a backend that answers with '$fault' failed";
    ok !$d->entry("/$fault")->{stored}, '... and nothing is stored';
}

$backend->set('/private' => {headers => [['Cache-Control', 'private']]}, '/login' => {headers => [['Set-Cookie', 'sid=1']]});
my $before = $d->status->{jobs}{unstorable};
$d->ask('warm', $d->url($_)) for '/private', '/login';
ok $d->await_jobs(unstorable => $before + 2), 'answers for one visitor are not stored';
is $backend->count('/private'), 1, '... nor asked for again';

$backend->set('/huge' => {size => 3_000_000});
$d->ask('warm', $d->url('/huge'));
ok $t->await(sub { $d->log =~ m{/huge.*larger than allowed} }, 'refusal'), 'an answer that is too large is refused while it comes';

$d->reload;
ok $t->await(sub { $d->log =~ /settings reloaded/ }, 'reload'), 'SIGHUP reloads';
done_testing;
