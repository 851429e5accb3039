# Without Redis: the queue is in larderd's memory, nginx enqueues over a unix socket, entries are in memcached.
use Larder::Test;
use Larder::Test::Daemon;
use IO::Socket::UNIX;

my $t         = Larder::Test->new;
my $backend   = $t->backend;
my $memcached = $t->memcached;
my $d = Larder::Test::Daemon->start($t, queue => "url = \"unix:\@dir\@/jobs.sock\"\nsocket_mode = \"0622\"", store => 'url = "memcached://@memcached@"');
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', 'all']], body => '{n}'});

my $jobs = $t->dir . '/jobs.sock';
is sprintf('%o', (stat $jobs)[2] & 0777), '622', 'the job socket has the permissions that were asked for';
my $say = sub {
    my ($bytes) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $jobs) or return 'refused';
    syswrite $socket, $bytes;
    shutdown $socket, 1;
    local $/;
    return <$socket> // '';
};
is $say->("*1\r\n\$4\r\nPING\r\n"), "+PONG\r\n", 'it answers';
like $say->("GET / HTTP/1.1\r\n\r\n"), qr/^-ERR/, 'what is not RESP is refused';
my @idle = map { IO::Socket::UNIX->new(Peer => $jobs) } 1 .. 100;
is $say->("*1\r\n\$4\r\nPING\r\n"), "+PONG\r\n", 'a hundred idle connections hold up nobody';

$d->ask('warm', map { $d->url("/$_") } 1 .. 20);
ok $d->await_jobs(stored => 20), 'pages are rendered into memcached';
my $entry = $d->entry('/7');
is $entry->{verdict}, 'fresh', '... and found there';
like $memcached->command("get larder:e:$entry->{key}"), qr/^VALUE larder:e:\S+ 0 \d+\r\nLRDE/, '... as entries';

my $purge = $d->ask('purge', '--tag', 'all');
ok $d->await_jobs(stored => 40), 'a purge renders anew what this daemon has rendered';
cmp_ok $d->entry('/7')->{fence}, '>=', $purge->{sequence}, '... and the new entries know of the purge';
like $memcached->command('get larder:purges'), qr/^\d+ floor s\n$purge->{sequence} [0-9a-f]{16} s$/m, '... which is in the log that nginx reads';

$backend->set('/fails' => {status => 500});
$d->ask('warm', $d->url('/fails'));
ok $d->await_jobs(given_up => 1), 'back-off and giving up are the same as with Redis';

$memcached->kill;
$d->ask('warm', $d->url('/while-away')) for 1;
ok $d->await_jobs(failed => 5), 'while memcached is away a job fails';
$memcached->restart;
ok $t->await(sub { $d->status->{jobs}{stored} == 41 }, 'retry'), '... and succeeds when it is back';

$d->server->kill;
ok -S $jobs, 'a daemon that was killed leaves its socket behind';
$d->server->restart;
is $say->("*1\r\n\$4\r\nPING\r\n"), "+PONG\r\n", '... and the next one replaces it';
is((stat $jobs)[2] & 0777, 0622, '... with the right permissions');
done_testing;
