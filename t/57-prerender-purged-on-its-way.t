# A page that is purged hard while its file is being made gets no file of the purged render, and one of the next render.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
mkdir $t->dir . '/files';
$backend->set(
    '/other' => {headers => [['Cache-Control', 'max-age=600']]},
    '/page'  => {headers => [['Surrogate-Control', 'max-age=600, content="ESI/1.0"']], body => 'page {n}<esi:include src="/part"/>'},
    '/part'  => {headers => [['Cache-Control', 'max-age=600']], body => 'part', hold => 1},
);
my $d = Larder::Test::Daemon->start($t, more => <<'TOML');
[[prerender]]
name = "site"
every = "1h"
directory = "@dir@/files"
urls = ["http://example.com/other", "http://example.com/page"]
TOML
my $file = sub { $t->dir . "/files/$_[0]/index.html" };

ok $t->await(sub { -e $file->('other') && $backend->count('/part') }, 'fragment', 60), 'a page is rendered, and its fragment under way';
$d->ask('purge', '--hard', '--url', $d->url('/page'));
$d->ask('purge', '--hard', '--url', $d->url('/other'));
ok $t->await(sub { $d->log =~ m{example.com/other was purged: its files are removed} }, 'removal', 60), '... when the page is purged, and the files of purged pages are removed';
$backend->release;
ok $t->await(sub { -e $file->('page') && $t->read_file($file->('page')) =~ /^page [2-9]part$/ }, 'file', 60), '... it gets a file of the next render';
ok $t->await(sub { -e $file->('other') }, 'file', 60), '... as does the other';
done_testing;
