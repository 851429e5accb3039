# One server process of a test, with all its children: start, signal, kill, restart, and a clean end.
package Larder::Test::Process;
use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(sleep time);

# name     for templates and messages         command  list: program and arguments
# output   file for its output                ready    function, polled until it returns true: the server serves
# env      hash of additional environment     account  to run as, if we are root
sub start {
    my ($class, %o) = @_;
    my $self = bless {%o, expected_death => 0}, $class;
    $self->_spawn;
    return $self;
}

sub name { $_[0]{name} }
sub pid  { $_[0]{pid} }

sub _spawn {
    my ($self) = @_;
    defined(my $pid = fork) or die "fork: $!";
    if ($pid == 0) {
        setpgrp;    # so that its children can be found
        open STDIN,  '<',  '/dev/null'     or POSIX::_exit(126);
        open STDOUT, '>>', $self->{output} or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT        or POSIX::_exit(126);
        local %ENV = (%ENV, %{$self->{env} || {}});
        my @as = $self->{account} && $> == 0 ? ('--reuid', $self->{account}, '--regid', $self->{account}, '--clear-groups') : ();
        exec('setpriv', '--pdeathsig', 'TERM', @as, '--', @{$self->{command}}) or POSIX::_exit(127);
    }
    setpgrp $pid, $pid;
    @$self{qw(pid group ended)} = ($pid, $pid, undef);
    my $deadline = time + 30;
    until ($self->{ready}->()) {
        die "$self->{name} ended at its start (" . $self->exit_text . "):\n" . $self->printed if !$self->alive;
        die "$self->{name} did not serve within 30 s:\n" . $self->printed if time > $deadline;
        sleep 0.01;
    }
}

sub printed {
    my ($self) = @_;
    open my $file, '<', $self->{output} or return '';
    local $/;
    return <$file> // '';
}

sub alive {
    my ($self) = @_;
    return 0 if defined $self->{ended};
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
    $self->{ended} = $?;
    return 0;
}

sub exit_text {
    my ($self) = @_;
    my $status = $self->{ended} // return 'running';
    return $status & 127 ? 'signal ' . ($status & 127) : 'exit code ' . ($status >> 8);
}

sub signal {
    my ($self, $signal) = @_;
    CORE::kill($signal, $self->{pid}) if $self->alive;
}

# Sends SIGSTOP or SIGCONT to it and all its children. Stopped, it is like a server that hangs.
sub freeze { CORE::kill(STOP => -$_[0]{group}) }
sub thaw   { CORE::kill(CONT => -$_[0]{group}) }

# Sends SIGKILL to it and all its children, as if the machine had failed.
sub kill {
    my ($self) = @_;
    $self->{expected_death} = 1;
    CORE::kill(KILL => -$self->{group});
    $self->_await_end(10);
}

# Starts it again after kill(), at the same address.
sub restart {
    my ($self) = @_;
    $self->kill if $self->alive;
    $self->{expected_death} = 0;
    $self->_spawn;
}

sub _await_end {
    my ($self, $seconds) = @_;
    my $deadline = time + $seconds;
    while ($self->alive) {
        return 0 if time > $deadline;
        sleep 0.005;
    }
    return 1;
}

# Ends it and all its children. Returns an error message, or nothing if all has exited cleanly.
sub stop {
    my ($self) = @_;
    my $signal  = $self->{stop_signal} || 'TERM';
    my $trouble = '';
    if ($self->alive) {
        $self->thaw;
        CORE::kill($signal, $self->{pid});
        if (!$self->_await_end(15)) { $trouble = "did not end within 15 s of SIG$signal"; }
        elsif ($self->{ended} != 0 && $self->exit_text ne 'signal ' . _number($signal)) {
            $trouble = 'ended with ' . $self->exit_text . ":\n" . $self->printed;
        }
    }
    elsif (!$self->{expected_death}) {
        $trouble = 'had ended before: ' . $self->exit_text . ":\n" . $self->printed;
    }
    my $deadline = time + 3;    # its children may be exiting
    sleep 0.01 while $self->members && time < $deadline;
    if (my @left = $self->members) {
        $trouble ||= "left processes behind: @left" unless $self->{expected_death};
        CORE::kill(KILL => -$self->{group});
    }
    $self->_await_end(5);
    return $trouble;
}

sub _number {
    my ($name) = @_;
    require Config;
    my @names = split ' ', $Config::Config{sig_name};
    return (grep { $names[$_] eq $name } 0 .. $#names)[0];
}

# The ids of the running processes of its group, without zombies.
sub members {
    my ($self) = @_;
    return grep { my (undef, $state, undef, $group) = _stat($_); defined $group && $group == $self->{group} && $state ne 'Z' }
        map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# The ids of its children, such as nginx's workers.
sub children {
    my ($self) = @_;
    return grep { my (undef, $state, $parent) = _stat($_); defined $parent && $parent == $self->{pid} && $state ne 'Z' }
        $self->members;
}

# name, state, parent, group of a process
sub _stat {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/stat" or return;
    my $line = <$file> // return;
    my ($name, $rest) = $line =~ /\((.*)\) (.*)/s or return;
    return ($name, split ' ', $rest);
}

1;
