# Random histories on configurations that cover every pair of choices: the contract allows each answer (tests/model/).
# LARDER_MODEL_REQUESTS and LARDER_MODEL_CONFIGURATIONS (a number, or "all") make it longer.
use Larder::Test;
use IPC::Open2;
use JSON::PP qw(decode_json encode_json);

$ENV{PYTHONDONTWRITEBYTECODE} = 1;
my $run      = "$Larder::Test::root/tests/model/run";
my $seed     = $ENV{LARDER_TEST_SEED} || time;
my $requests = $ENV{LARDER_MODEL_REQUESTS} || 1500;
my $count    = `$run list $seed`;
my $most     = $ENV{LARDER_MODEL_CONFIGURATIONS} || 4;
my @numbers  = $most eq 'all' ? 0 .. $count - 1 : $most =~ /^#(\d+)/ ? $1 : map { ($_ + $seed) % $count } 0 .. $most - 1;

sub drive {
    my ($number) = @_;
    my $plan = decode_json(scalar `$run plan $seed $number`);
    my $t    = Larder::Test->new;
    my %part;
    $part{$plan->{store}} = $t->${\$plan->{store}} if $plan->{store};
    $part{larderd} = $t->larderd($plan->{larderd}) if $plan->{larderd};
    my @nginx = map { $t->nginx($plan->{nginx}[$_], name => "nginx$_", workers => $plan->{workers}) } 0 .. $#{$plan->{nginx}};
    my $pid   = open2(my $says, my $told, $run, 'drive', $seed, $number, $requests);
    $told->autoflush;
    print $told encode_json({site => $t->port('site'), gateway => $t->port('gateway'), nginx => [map { $_->address } @nginx]}), "\n";
    my $result;
    while (my $line = <$says>) {
        if    ($line =~ /^\{/)                   { $result = decode_json($line) }
        elsif ($line =~ /^reload/)               { $_->reload for @nginx }
        elsif ($line =~ /^kill-worker/)          { CORE::kill(KILL => ($nginx[0]->children)[0]) }
        elsif ($line =~ /^(kill|restart|freeze|thaw) (\w+)/) { $part{$2}->$1 }
        print $told "done\n";
    }
    waitpid $pid, 0;
    my $name = join ', ', map { "$_ $plan->{configuration}{$_}" } sort keys %{$plan->{configuration}};
    note "LARDER_TEST_SEED=$seed #$number: $result->{answers} answers, $result->{renders} renders, ", encode_json($result->{statuses});
    ok !@{$result->{wrong}}, "every answer is right: $name"
        or diag "LARDER_TEST_SEED=$seed LARDER_MODEL_CONFIGURATIONS='#$number'", map { "\n$_->{what}\n    $_->{visit}\n    " . encode_json($_->{fields} || []) . "\n    " . encode_json($_->{circumstances}) } @{$result->{wrong}};
    $t->expect_log(qr/exited on signal 9/, qr/shared memory zone "larder" was locked by/);
    $t->finish;
}

drive($_) for @numbers;
done_testing;
