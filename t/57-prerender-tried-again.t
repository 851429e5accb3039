# A page that could not be prerendered is tried again soon, not only at the next scheduled run.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
mkdir $t->dir . '/files';
my %down = (status => 503);
my %up   = (headers => [['Cache-Control', 'max-age=600']], body => 'page {n}');
$backend->set('/first' => \%down, '/second' => \%up);
my $d = Larder::Test::Daemon->start($t, backend => 'timeout = "1s"', queue => qq{url = "redis://\@redis\@/0"\ngive_up_for = "1s"}, more => <<'TOML');
[[prerender]]
name = "site"
every = "1h"
directory = "@dir@/files"
urls = ["http://example.com/first", "http://example.com/second"]
TOML
my $file = sub { $t->dir . "/files/$_[0]/index.html" };

ok $t->await(sub { -e $file->('second') }, 'file', 30), 'a run makes one page, and not the other, of which the site is down';
$backend->set('/first' => \%up);
ok $t->await(sub { -e $file->('first') }, 'file', 60), '... that is made when the site is up again, an hour before the next run';

$backend->set('/second' => \%down);
$d->ask('purge', '--hard', '--url', $d->url('/second'));
ok $t->await(sub { !-e $file->('second') && $d->log =~ m{no new page for http://example.com/second} }, 'failure', 60),
    'a page whose file a purge has removed while the site was down';
$backend->set('/second' => \%up);
ok $t->await(sub { -e $file->('second') }, 'file', 60), '... is made when the site is up again';
done_testing;
