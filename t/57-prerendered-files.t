# Prerendered files: a hard purge removes them, unchanged ones are not rewritten, and an interrupted run is continued.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
mkdir my $files = $t->dir . '/files';
my $kept = sub { return {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', "tag-$_[0]"], @_[1 .. $#_]], body => "page $_[0]"} };
my $esi = ['Surrogate-Control', 'max-age=60, content="ESI/1.0"'];
$backend->set(
    (map { ("/$_" => $kept->($_)) } qw(a b c)),
    '/page' => {%{$kept->('page', $esi)}, body => '<esi:include src="/part"/>'},
    '/part' => $kept->('part'),
);
my $toml = <<'TOML';
[[prerender]]
name = "site"
every = "EVERY"
directory = "@dir@/files"
urls = ["http://example.com/a", "http://example.com/b", "http://example.com/c", "http://example.com/page"]
TOML
my $d    = Larder::Test::Daemon->start($t, backend => 'timeout = "1s"', more => $toml =~ s/EVERY/1s/r);
my $file = sub { "$files/$_[0]/index.html" };
ok $t->await(sub { 4 == grep { -e $file->($_) } qw(a b c page) }, 'files', 30), 'pages have files';

my $stat = sub { [map { my @stat = stat $_; "@stat[1, 9]" } map { ($file->($_), $file->($_) . '.gz') } qw(a b c page)] };
my $was  = $stat->();
my $runs = $backend->count('/a');
ok $t->await(sub { $backend->count('/c') > $runs + 1 }, 'two runs', 30), 'pages that are rendered anew, and are the same';
is_deeply $stat->(), $was, '... keep their files, with inode and time';

# From now on the site is down, so that no file is written again.
$backend->set(map { ("/$_" => {status => 503}) } qw(a b c page part));
for my $purge (['--url', $d->url('/a'), 'a', 'a URL'], ['--tag', 'tag-b', 'b', 'a tag'], ['--tag', 'tag-part', 'page', 'a fragment']) {
    my ($option, $name, $page, $what) = @$purge;
    $d->ask('purge', $option, $name);
    ok -e $file->($page), "a soft purge of $what leaves the file";
    $d->ask('purge', '--hard', $option, $name);
    ok $t->await(sub { !-e $file->($page) && !-e $file->($page) . '.gz' }, "$page gone"), "... a hard one removes it";
}
ok -e $file->('c'), 'another page keeps its own';

# Another larderd takes the purge, while the one that has written the files is dead.
$d->server->kill;
my $other = Larder::Test::Daemon->start($t, name => 'other');
$other->ask('purge', '--hard', '--url', $d->url('/c'));
$d->server->restart;
ok $t->await(sub { !-e $file->('c') }, 'c gone', 60), 'a purge that came while larderd was dead removes the file, too';
$d->server->stop;
$d->server->{expected_death} = 1;

# An interrupted run.
mkdir $t->dir . '/more';
$backend->set('/first' => $kept->('first'), '/second' => {%{$kept->('second')}, hold => 1});
my $set = $toml =~ s/EVERY/1h/r =~ s{/files}{/more}r =~ s{^urls.*}{urls = ["http://example.com/first", "http://example.com/second"]}mr;
my $again = Larder::Test::Daemon->start($t, name => 'again', more => $set);
ok $t->await(sub { -e $t->dir . '/more/first/index.html' && $backend->count('/second') }, 'first page', 30), 'half of a run';
$again->server->kill;
$backend->set('/second' => $kept->('second'));
$backend->release;
$again->server->restart;
ok $t->await(sub { -e $t->dir . '/more/second/index.html' }, 'second page', 30), '... the next larderd does the rest';
is $backend->count('/first'), 1, '... and nothing twice';
ok $t->await(sub { !-e $t->dir . '/more/.larder-run' }, 'end of the run'), '... and leaves nothing behind';
done_testing;
