# The files of a purged page that can't be removed are removed as soon as they can be.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
mkdir my $files = $t->dir . '/files';
$backend->set('/page' => {headers => [['Cache-Control', 'max-age=600']]});
my $d = Larder::Test::Daemon->start($t, more => <<'TOML');
[[prerender]]
name = "site"
every = "1h"
directory = "@dir@/files"
urls = ["http://example.com/page"]
TOML
my $file = "$files/page/index.html";
ok $t->await(sub { -e "$file.gz" }, 'file', 30), 'a page has its files';

$backend->set('/page' => {status => 503});
unlink $file;
mkdir $file;    # a directory can't be removed as a file, not even by root
$d->ask('purge', '--hard', '--url', $d->url('/page'));
ok $t->await(sub { $d->log =~ m{example.com/page was purged, but its files can't be removed} }, 'log', 30), 'the log says that they stay after a purge';
rmdir $file;
ok $t->await(sub { !-e "$file.gz" }, 'removal', 30), '... and they go when they can';
done_testing;
