# Purges by tag and by URL, through the API and through the shared Lua script. A render never undoes a purge.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $d       = Larder::Test::Daemon->start($t);
$backend->set(
    '/*' => {headers => [['Cache-Control', 'max-age=600, stale-while-revalidate=600'], ['Surrogate-Key', 'all {path}']], body => '{n}'},
    '/slow' => {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', 'all slow']], hold => 1},
);
$d->ask('warm', map { $d->url($_) } '/a', '/b', '/a?page=2');
$d->await_jobs(stored => 3);

my $purge = $d->ask('purge', '--url', $d->url('/a'));
is $purge->{purged}, 1, 'larderctl purge --url';
ok $d->await_jobs(stored => 5), '... renders all queries of the path anew, without any visitor';
is $backend->count('/b'), 1, '... and no other page';
cmp_ok $d->entry('/a')->{fence}, '>=', $purge->{sequence}, '... and the new entry knows of the purge';
$d->ask('purge', '--tag', 'all', '--position', 'pg1/1/16B3748');
ok $d->await_jobs(stored => 8), 'larderctl purge --tag renders all pages that carry it';
is $redis->cli('LLEN', 'larder:{purge}pending'), 0, '... and nothing stays pending';

# Pages that nginx has filled are purged in the same way: entry and index in Redis, purge by the script.
my $sequence = $d->ask('purge', '--tag', 'nobody-has-it')->{sequence};
cmp_ok $sequence, '>', $purge->{sequence}, 'sequences only grow';
is $d->status->{jobs}{stored}, 8, 'a tag that nobody carries renders nothing';

# A purge during a render makes that render's result stale: the page is rendered again, and the second result stays.
$d->ask('warm', $d->url('/slow'));
ok $t->await(sub { ($backend->stats->{paths}{'/slow'} || {active => 0})->{active} }, 'render under way'), 'while a page is being rendered for the first time';
my $late = $d->ask('purge', '--tag', 'slow')->{sequence};
ok $t->await(sub { $redis->cli('LLEN', 'larder:{purge}pending') == 0 }, 'purge walked'), '... a purge of its tag finds nothing to mark';
my $rule = {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', 'all slow']]};
$backend->proceed;
ok $t->await(sub { $backend->count('/slow') == 2 }, 'second render'), '... yet the page is rendered once more';
like $d->entry('/slow')->{verdict}, qr/^stale, servable while/, '... and what the first render made is stale meanwhile';
$backend->release;
ok $t->await(sub { $d->entry('/slow')->{fence} >= $late }, 'new entry'), '... until the second one is stored';
is $d->entry('/slow')->{verdict}, 'fresh', '... fresh';
is $backend->count('/slow'), 2, '... and there was no third';

$backend->set('/slow' => {%$rule, hold => 1});
$d->ask('refresh', $d->url('/slow'));
$t->await(sub { $backend->stats->{paths}{'/slow'}{active} }, 'render under way');
$d->ask('purge', '--tag', 'slow') for 1 .. 5;
$t->await(sub { $redis->cli('LLEN', 'larder:{purge}pending') == 0 }, 'purges walked');
$backend->release;
$t->await(sub { $backend->count('/slow') == 4 }, 'fourth render');
ok $t->await(sub { $d->status->{queue}{queued} + $d->status->{queue}{running} == 0 }, 'all done'), 'five purges during one render';
is $backend->count('/slow'), 4, '... make one more render, not five';

$d->ask('purge', '--hard', '--url', $d->url('/b'));
ok $t->await(sub { $backend->count('/b') == 3 }, 'render'), 'a hard purge renders, too';

# Any text can be a tag. In header fields it is percent-encoded; the API takes both forms.
$backend->set('/places' => {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', 'town:New%20York town:Z%C3%BCrich 100%25']], body => '{n}'});
$d->ask('warm', $d->url('/places'));
ok $t->await(sub { $backend->count('/places') == 1 }, 'render'), 'a page whose tags are percent-encoded';
my $renders = 1;
for my $tag ('town:New York', 'town:New%20York', "town:Z\xC3\xBCrich", 'town:Z%c3%bcrich', '100%', '100%25') {
    $t->await(sub { ($d->entry('/places') || {})->{verdict} eq 'fresh' }, 'fresh');
    $d->ask('purge', '--tag', $tag);
    $renders++;
    ok $t->await(sub { $backend->count('/places') == $renders }, 'render'), "... is purged by $tag";
}

$redis->kill;
my $answer = $d->ask('purge', '--tag', 'all');
is_deeply [@$answer{qw(sequence stores_waiting)}], [0, 1], 'a purge while the store is away is accepted';
is $d->status->{purges_waiting}, 1, '... and waits';
$redis->restart;
ok $t->await(sub { $redis->cli('GET', 'larder:{purge}sequence') }, 'delivery'), '... until the store is back';
ok $t->await(sub { $d->status->{purges_waiting} == 0 }, 'empty outbox'), '... and the outbox is empty';

for my $case (
    ['{"tags":["a"],"mode":"medium"}', qr/mode: \\"medium\\"; legal: \\"soft\\", \\"hard\\"/],
    ['{}', qr/nothing to purge/], ['[1]', qr/not a JSON object; legal members: tags, urls, mode, position/],
    ['{"tag":["a"]}', qr/unknown member \\"tag\\"; legal: tags/], ['{"urls":["/path"]}', qr{urls: \\"/path\\"; legal: http://}],
    ['{"tags":[""]}', qr/texts that aren't empty/], ['{"tags":["a"],"position":"a b"}', qr{position: .*legal: NAME/SYSTEM/TIMELINE/LSN}],
) {
    my $refused = $d->request(method => 'POST', path => '/v1/purge', body => $case->[0], headers => ['Content-Type' => 'application/json']);
    is $refused->status, 400, "refused: $case->[0]";
    like $refused->body, $case->[1], '... with a reason';
}
done_testing;
