# Servers die, hang and come back: the others go on.
use Larder::Test;
use Larder::Test::Replication;
use IO::Socket::INET;
use POSIX ();

my $pg = Larder::Test::Replication->start(max_lag_ms => 1000, primary_burst => 100, primary_rate => 1000);
$pg->await_ready;

subtest 'a replica dies and comes back' => sub {
    $pg->rig('kill', 'r1');
    ok $pg->await(sub { !$_->{r1}{in_rotation} }, 'r1 out'), 'the dead replica leaves the rotation';
    like $pg->status->{r1}{reason}, qr/^no answer: .*refused/, '... and the status says why';
    my %chosen;
    $chosen{$pg->choose->{alias}}++ for 1 .. 20;
    is_deeply \%chosen, {r2 => 20}, 'the other one does all the work';
    $pg->release;
    $pg->rig('revive', 'r1');
    my $first = $pg->await(sub { $_->{r1}{answering} && $_->{r1}{streaming} && $_->{r1}{probes} }, 'r1 answers');
    my $in    = $pg->await(sub { $_->{r1}{in_rotation} && $_->{r1}{probes} }, 'r1 in');
    ok $in, 'it returns to the rotation';
    cmp_ok $in - $first, '<=', 7, '... after five good probes, 1.25 s by default';
};

subtest 'a replica hangs' => sub {
    $pg->watch(probe_timeout_ms => 300);
    $pg->await_ready;
    open my $file, '<', "$pg->{rig}/r1/postmaster.pid" or die $!;
    chomp(my $postmaster = <$file>);
    my @all = ($postmaster, split ' ', $pg->sql('r1', "select pid from pg_stat_activity where application_name = 'larderd'"));
    kill STOP => @all;
    ok $pg->await(sub { !$_->{r1}{in_rotation} }, 'r1 out'), 'a server that accepts connections and says nothing leaves';
    is $pg->status->{r1}{reason}, 'no answer: nothing came within 300 ms', '... and the status says why';
    ok $pg->status->{r2}{answering}, 'the others are probed as before';
    is $pg->choose->{alias}, 'r2', '... and chosen';
    kill CONT => @all;
    ok $pg->await_ready, 'it returns when it wakes';
    $pg->release;
    $pg->watch;
    $pg->await_ready;
};

subtest 'a replica refuses logins' => sub {
    my $hba = "$pg->{rig}/r1/pg_hba.conf";
    my $allows = Larder::Test->read_file($hba);
    my $write = sub {
        open my $file, '>', $hba or die "$hba: $!";
        print $file @_;
        close $file;
        $pg->sql('r1', 'select pg_reload_conf()');
    };
    $write->("host all larder_monitor all reject\nlocal all larder_monitor reject\n", $allows);
    ok $pg->await(sub { !$_->{r1}{in_rotation} }, 'r1 out'), 'it leaves, though the session of the probes goes on';
    like $pg->status->{r1}{reason}, qr/^no answer: .*pg_hba/, '... and the status says why';
    is $pg->choose->{alias}, 'r2', '... the other one does the work';
    $pg->release;
    $write->($allows);
    ok $pg->await_ready, 'it returns when it takes logins again';
};

subtest 'a server that is no PostgreSQL' => sub {
    my %server = map { $_ => IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1') } qw(mute web);
    $pg->end_watch;    # otherwise the child would keep its input open
    my $web = fork // die "fork: $!";
    if (!$web) {
        $SIG{TERM} = 'DEFAULT';
        while (my $client = $server{web}->accept) { print $client "HTTP/1.1 400 Bad Request\r\n\r\n" }
        POSIX::_exit(0);
    }
    my %dsn = map { $_ => "host=127.0.0.1 user=x port=" . $server{$_}->sockport } keys %server;
    $pg->watch(probe_timeout_ms => 300, replicas => [@{$pg->{settings}{replicas}}, map { {alias => $_, dsn => $dsn{$_}} } sort keys %dsn]);
    ok $pg->await(sub { $_->{mute}{failures} > 2 && $_->{web}{failures} > 2 && $_->{r1}{in_rotation} && $_->{r2}{in_rotation} }, 'failures'),
        'costs the others nothing';
    is $pg->status->{mute}{reason}, 'no answer: nothing came within 300 ms', 'one that says nothing';
    like $pg->status->{web}{reason}, qr/^no answer: .+/, 'one that speaks another language';
    unlike $pg->status->{web}{reason}, qr/\n/, '... on one line';
    kill TERM => $web;
    waitpid $web, 0;
    $pg->watch;
    $pg->await_ready;
};

subtest 'the primary dies' => sub {
    my $replayed = $pg->write;
    $pg->await(sub { $_[0]->choose(position => $replayed)->{alias} }, 'the write is replayed');
    $pg->rig('pause', 'r1');
    my $only_r2 = $pg->write;
    $pg->await(sub { $_[0]->choose(position => $only_r2)->{alias} }, 'r2 has it');
    $pg->rig('kill', 'primary');
    ok $pg->await(sub { $_->{primary}{role} eq 'unknown' && $_->{r2}{lag_bound} eq 'at_most' }, 'no primary'),
        'how fresh replicas are is then only known up to the last sign of the primary';
    ok $pg->status->{r2}{in_rotation}, 'a replica that had all stays, though it receives nothing';
    ok !$pg->choose->{hold}, 'replicas serve on';
    is $pg->choose(position => $only_r2)->{alias}, 'r2', 'fences hold: the one that has the write';
    ok $pg->choose(position => 'default/1/FFFFFFFFFF')->{hold}, '... and nobody when none has';
    ok $pg->choose(position => 'default/1/FFFFFFFFFF', patience => 1, class => $_)->{hold}, "... $_, whatever the patience"
        for qw(background live);
    is $pg->health('/read-only')->{status}, 200, 'balancers may read';
    is $pg->health('/primary')->{status}, 503, '... and know that nobody can write';
    $pg->rig('resume', 'r1');
    $pg->rig('revive', 'primary');
    ok $pg->await_ready, 'all is as before when it is back';
    $pg->release;
};

subtest 'larderd starts while the primary is dead' => sub {
    $pg->rig('kill', 'primary');
    $pg->watch;
    ok $pg->await(sub { my $c = $_[0]->choose; !$c->{hold} && $c->{alias} =~ /^r/ }, 'a choice'), 'replicas serve';
    $pg->rig('kill', $_) for qw(r1 r2);
    ok $pg->await(sub { $_->{r1}{role} eq 'unknown' && $_->{r2}{role} eq 'unknown' }, 'all gone'), 'when all are dead';
    my $choice = $pg->choose(class => 'live');
    ok $choice->{hold}, '... nothing is chosen';
    is $choice->{reason}, 'no server answers', '... and it says why';
};

$pg->finish;
done_testing;
