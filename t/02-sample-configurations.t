# Every sample in conf/ is accepted by the program it is for.
use Larder::Test;

my $t = Larder::Test->new;
my @nginx = glob $t->root . '/conf/*.conf';
my @larderd = glob $t->root . '/conf/*.toml';
ok @nginx && @larderd, 'there are samples for both';

for my $sample (@nginx) {
    my ($name) = $sample =~ m{([^/]+)$};
    my ($code, $said) = $t->nginx_test("include $sample;");
    is $code, 0, "nginx accepts $name in http { }" or diag $said;
}
for my $sample (@larderd) {
    my ($name) = $sample =~ m{([^/]+)$};
    my ($code, $said) = $t->run_command([$t->larderd_path, '--check', '-c', $sample]);
    is $code, 0, "larderd accepts $name" or diag $said;
}

done_testing;
