# A PostgreSQL primary with replicas (tools/pg-rig), watched by larderd's replica chooser, for the tests t/6*.t.
#
#   my $pg = Larder::Test::Replication->start(replicas => 2, max_lag_ms => 400);
#   $pg->rig('pause', 'r1');                     # any command of pg-rig but start and stop
#   $pg->await(sub { !$_->{r1}{in_rotation} }, 'r1 is out');   # $_: status of each node by alias
#   is $pg->choose(position => $pg->write)->{alias}, 'r2';
#
# The aliases are the names of the rig's nodes. All waiting is for conditions; times are never asserted.
package Larder::Test::Replication;
use strict;
use warnings;
use File::Temp ();
use IPC::Open3 qw(open3);
use JSON::PP qw(decode_json encode_json);
use Time::HiRes qw(sleep time);
use Larder::Test;

my $root  = Larder::Test->root;
my $build = $ENV{LARDER_BUILD} || "$root/build/release";
my @live;

# Options: replicas (2), weights (hash by alias), watch (1; 0: only the rig), and numbers as in [[database]] of larderd.toml. Probes have
# a shorter interval and a longer timeout than by default, because tests share the machine.
sub start {
    my ($class, %o) = @_;
    my $dir  = File::Temp->newdir('larder-pg-XXXXXX', TMPDIR => 1);
    my $self = bless {dir => $dir, rig => "$dir/rig", watches => []}, $class;
    chmod 0755, "$dir";
    push @live, $self;
    my $replicas = delete $o{replicas} // 2;
    my $weights  = delete $o{weights}  // {};
    my $watch    = delete $o{watch}    // 1;
    my $env = decode_json($self->rig('start', '--replicas', $replicas, '--json'));
    $self->{dsn} = {map { $_ => $env->{"PG_\U${_}_DSN"} =~ s/user=larder\b/user=larder_monitor/r } split ' ', $env->{PG_NODES}};
    $self->{settings} = {
        probe_interval_ms => 50, probe_timeout_ms => 2000, %o,
        primary  => {alias => 'primary', dsn => $self->{dsn}{primary}},
        replicas => [map { {alias => "r$_", dsn => $self->{dsn}{"r$_"}, weight => $weights->{"r$_"} || 1} } 1 .. $replicas],
    };
    $self->sql('primary', 'create table t (n int)');
    $self->watch if $watch;
    return $self;
}

# Starts or restarts watching, with other settings if given.
sub watch {
    my ($self, %o) = @_;
    $self->end_watch;
    my $settings = encode_json([{%{$self->{settings}}, %o}]);
    open my $log, '>>', "$self->{dir}/watch.log" or die "watch.log: $!";
    $self->{pid} = open3($self->{in}, $self->{out}, '>&' . fileno $log,
        "$build/tests/daemon/replicas/larder_replica_watch", $settings);
    $self->{in}->autoflush;
    return $self;
}

sub ask {
    my ($self, $request) = @_;
    print {$self->{in}} encode_json($request), "\n";
    my $line = readline $self->{out};
    die "the watch ended: " . $self->log unless defined $line;
    return decode_json($line);
}

sub log {
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/watch.log" or return '';
    local $/;
    return <$file> // '';
}

# Runs pg-rig COMMAND DIR ARGUMENT... Dies if it fails.
sub rig {
    my ($self, $command, @arguments) = @_;
    $self->end_session($arguments[0]) if $command eq 'kill';
    open my $pipe, '-|', "$root/tools/pg-rig", $command, $self->{rig}, @arguments or die "pg-rig: $!";
    local $/;
    my $said = <$pipe> // '';
    close $pipe or die "pg-rig $command @arguments failed";
    chomp $said;
    return $said;
}

# Runs SQL as superuser on a node, in a persistent session. Returns rows as lines, with columns separated by "|".
sub sql {
    my ($self, $node, $statement) = @_;
    my $session = $self->{sessions}{$node} ||= do {
        my $dsn = $self->{dsn}{$node} =~ s/user=\w+/user=postgres/r;
        my $pid = open3(my $in, my $out, undef, 'psql', '-XAtq', '-d', $dsn);
        $in->autoflush;
        {pid => $pid, in => $in, out => $out};
    };
    print {$session->{in}} "$statement;\n\\echo ==\n";
    my @lines;
    while (defined(my $line = readline $session->{out})) {
        chomp $line;
        return join "\n", @lines if $line eq '==';
        push @lines, $line;
    }
    $self->end_session($node);
    die "$node: $statement: session ended: @lines";
}

sub end_session {
    my ($self, $node) = @_;
    my $session = delete $self->{sessions}{$node} or return;
    close $session->{in};
    waitpid $session->{pid}, 0;
}

# Writes a row on a node (the primary) and returns the position after its commit.
sub write {
    my ($self, $node) = @_;
    $node ||= 'primary';
    $self->sql($node, 'insert into t values (1)');
    return $self->position($node);
}

# The position of a primary's log: "default/SYSTEM/TIMELINE/LSN".
sub position {
    my ($self, $node) = @_;
    my $row = $self->sql($node, 'select system_identifier, substr(pg_walfile_name(lsn), 1, 8), lsn '
        . 'from pg_current_wal_insert_lsn() as lsn, pg_control_system()');
    my ($system, $timeline, $high, $low) = $row =~ m{^(\d+)\|(\w+)\|(\w+)/(\w+)$} or die "$node: $row";
    return sprintf 'default/%s/%d/%X', $system, hex $timeline, (hex($high) << 32) + hex $low;
}

# The status of all nodes, by alias.
sub status {
    my ($self) = @_;
    return {map { $_->{alias} => $_ } map { @{$_->{nodes}} } @{$self->ask({do => 'status'})->{databases}}};
}
sub alarms { @{$_[0]->ask({do => 'status'})->{alarms}} }
sub choose  { my ($self, %o) = @_; return $self->ask({do => 'choose', %o}) }
sub release { $_[0]->ask({do => 'release'}) }
sub health  { my ($self, $path, $query) = @_; return $self->ask({do => 'health', path => $path, query => $query // ''}) }

# Polls until the condition, which gets the status in $_, is true. Returns its value; after 30 s false, with a diagnostic.
sub await {
    my ($self, $condition, $what) = @_;
    my $deadline = time + 30;
    while (1) {
        local $_ = $self->status;
        my $value = $condition->($self);
        return $value if $value;
        if (time > $deadline) {
            Test::More::diag("not within 30 s: $what\n" . encode_json($_) . "\n" . $self->log);
            return;
        }
        sleep 0.01;
    }
}

# Waits until all replicas are in rotation.
sub await_ready {
    my ($self) = @_;
    return $self->await(sub { !grep { !$_->{in_rotation} } values %$_ }, 'all nodes are in rotation');
}

sub end_watch {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    close $self->{in};
    waitpid $pid, 0;
    Test::More::is($?, 0, 'the watch ended cleanly') or Test::More::diag($self->log);
}

sub finish {
    my ($self) = @_;
    $self->end_watch;
    $self->end_session($_) for keys %{$self->{sessions} || {}};
    eval { $self->rig('stop') } if -e "$self->{rig}/rig.env";
    @live = grep { $_ != $self } @live;
}

END {
    my $status = $?;
    for my $self (@live) {
        kill KILL => $self->{pid} if $self->{pid};
        $self->{pid} = undef;
        eval { $self->finish };
    }
    $? = $status;
}

1;
