# Manual pages have no errors and describe every option, setting and directive; completions know every command and option.
use Larder::Test;

my $t     = Larder::Test->new;
my $build = $ENV{LARDER_BUILD} || "$Larder::Test::root/build/release";
my %program = (larderd => "$build/daemon/larderd", larderctl => "$build/daemon/larderctl");

my %page;
for my $page (qw(larderd.8 larderctl.1 larderd.toml.5 larder-directives.5)) {
    my ($code, $said) = $t->run_command(['mandoc', '-Tlint', "$build/manual/$page"]);
    is $said, '', "mandoc has nothing to say of $page";
    ($code, $said) = $t->run_command(['man', '--warnings', '-l', "$build/manual/$page"], {MANWIDTH => 500, LC_ALL => 'C.UTF-8'});
    is $code, 0, '... and man shows it' or diag $said;
    $page{$page} = $said;
}

my @options;
for my $name (sort keys %program) {
    my ($code, $table) = $t->run_command([$program{$name}, '--list-options']);
    push @options, map { [$name, (split /\t/, $_, -1)[0, 1, 5]] } split /\n/, $table;
}
my @long = grep { $_->[2] =~ /^-/ && !($_->[1] && $_->[2] =~ /^-h/) } @options;
cmp_ok scalar @long, '>', 10, 'the programs tell their options';
my $of = {larderd => $page{'larderd.8'}, larderctl => $page{'larderctl.1'}};
is_deeply [map { "$_->[1] $_->[2]" } grep { my $o = (split /,/, $_->[2])[-1]; $of->{$_->[0]} !~ /^\s+(?:-\w, )?\Q$o\E\b/m } @long], [],
    'each is in the page of its program';

my ($code, $settings) = $t->run_command([$program{larderd}, '--list-settings']);
is_deeply [grep { $page{'larderd.toml.5'} !~ /^\s+\Q$_\E\b/m } map { (split /\t/)[1] } split /\n/, $settings], [], 'each setting is in larderd.toml(5)';
my @directives = $t->read_file("$Larder::Test::root/ngx_module/directives/directives.def") =~ /^DIRECTIVE\((\w+),/mg;
is_deeply [grep { $page{'larder-directives.5'} !~ /^   \Q$_\E$/m } @directives], [], 'each directive is in larder-directives(5)';

# The completions that bash offers for the last word of a command line.
sub bash {
    my ($name, @words) = @_;
    my ($code, $said) = $t->run_command(['bash', '-c', 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$1"; printf "%s\n" "${COMPREPLY[@]}"',
        "$build/completion/$name.bash", $name, @words]);
    return [sort split /\n/, $said];
}
is_deeply bash('larderctl', 're'), [qw(refresh replicas)], 'bash completes a command';
is_deeply bash('larderctl', '--api', 'purge', 'ex'), ['explain'], '... and knows which word is an option\'s value';
is_deeply bash('larderctl', '--json', 'purge', '--h'), [qw(--hard --help)], '... and a command\'s options, and those for all';
is_deeply bash('larderctl', 'status', '--hard'), [], '... and no other command\'s';
is_deeply bash('larderd', '-c', "$Larder::Test::root/conf/larderd-m"), ["$Larder::Test::root/conf/larderd-minimal.toml"], '... and files';

for my $name (sort keys %program) {
    my ($code, $said) = $t->run_command(['zsh', '-fn', "$build/completion/$name.zsh"]);
    is $code, 0, "zsh reads $name\'s completion" or diag $said;
    my $zsh = $t->read_file("$build/completion/$name.zsh");
    is_deeply [grep { my $o = (split /,/, $_->[2])[-1]; $_->[0] eq $name && $zsh !~ /'\*\Q$o\E\[/ } @long], [], '... which has each option';
}
done_testing;
