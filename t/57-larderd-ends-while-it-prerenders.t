# larderd is stopped during a prerender run, repeatedly: it exits cleanly, and all files are complete.
use Larder::Test;
use Larder::Test::Daemon;

my $pages   = 400;
my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
mkdir $t->dir . '/files';
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600']], body => 'page'});
my $urls = join ', ', map { qq{"http://example.com/$_"} } 1 .. $pages;
my $d    = Larder::Test::Daemon->start($t, more => <<"TOML");
[[prerender]]
name = "site"
every = "1h"
directory = "\@dir\@/files"
urls = [$urls]
TOML
my $files = sub { scalar(my @found = glob $t->dir . '/files/*/index.html') };
$d->server->{expected_death} = 1;
ok $t->await(sub { $files->() > $pages / 2 }, 'files', 60), 'a run is under way';
for my $round (1 .. 6) {
    $d->server->signal('TERM');
    $t->await(sub { !$d->server->alive }, 'end', 30);
    is $d->server->exit_text, 'exit code 0', "$round: larderd ends in the middle of it";
    $d->server->restart;
}
ok $t->await(sub { $files->() == $pages }, 'files', 60), 'the run is finished in the end';
my @torn = grep { $t->read_file($_) ne 'page' } glob $t->dir . '/files/*/index.html';
is_deeply \@torn, [], '... and all files are whole';
done_testing;
