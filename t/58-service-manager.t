# larderd notifies systemd: ready when it serves, watchdog while it works, reloading, stopping.
use Larder::Test;
use Larder::Test::Daemon;
use IO::Socket::UNIX ();
use Socket qw(SOCK_DGRAM);

my $t       = Larder::Test->new;
$t->redis;
my $socket  = $t->dir . '/notify';
my $systemd = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $socket) or die "$socket: $!";
my %environment = (NOTIFY_SOCKET => $socket, WATCHDOG_USEC => 400_000);
my $d = Larder::Test::Daemon->start($t, backend => '', server => {env => {%{$t->_larderd_env('larderd')}, %environment}});

# The next message other than the watchdog's; with an argument, the next of the watchdog's.
sub hear {
    my ($watchdog) = @_;
    my $message = '';
    $t->await(sub {
        my $readable = '';
        vec($readable, fileno $systemd, 1) = 1;
        while (select my $now = $readable, undef, undef, 0) {
            $systemd->recv($message, 512);
            return 1 if $watchdog xor $message ne 'WATCHDOG=1';
        }
        return 0;
    }, 'a message to systemd');
    return $message;
}

is hear(), 'READY=1', 'it says that it is ready';
is(($d->ctl('status'))[0], 0, '... and is');
hear(1) for 1 .. 3;
pass 'it says again and again that it is alive';

$d->reload;
like hear(), qr/^RELOADING=1\nMONOTONIC_USEC=\d+$/, 'it says that it reloads';
is hear(), 'READY=1', '... and that it has';
$t->file('larderd.toml', 'nonsense');
$d->reload;
like hear(), qr/^RELOADING=1\n/, 'it reloads a file that is wrong';
is hear(), 'READY=1', '... and goes on with what it had';

is $d->server->stop, '', 'it ends';
$d->server->{expected_death} = 1;
like hear(), qr/^STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000$/, 'it says that it stops, and how long that may take: render.drain and a little more';
is $d->server->exit_text, 'exit code 0', '... and has ended well';
done_testing;
