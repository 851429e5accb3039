# Whatever arguments a directive gets, nginx -t ends by itself, and an error names the line.
use Larder::Test;

my $t = Larder::Test->new;
my @directives = sort { $a cmp $b } $t->read_file('ngx_module/directives/directives.def') =~ /^DIRECTIVE\((\w+),/mg;
cmp_ok scalar @directives, '>', 30, 'all directives are known';
# Words that some directive knows, and what nobody should write behind them.
my @words = ('""', 'a', '""', 'on', 'off', 'keep', 'drop', 'main', 'near', '200', '1m', '10%', '/', 'a=', 'a=b', 'max=', 'path=', 'name=', 'value=',
    'while=', 'timeout=', '"="', '"%"', '"$"', '"~["', 'redis://', 'redis://h:', 'memcached://,', '-1', '99999999999999999999', '*', '"a "', "\"\xff\"");
srand($ENV{LARDER_TEST_SEED} // 1);
for my $directive (@directives) {
    my @wrong;
    for my $arguments ('""', '"" ""', map { join ' ', map { $words[rand @words] } 1 .. 1 + rand 3 } 1 .. 8) {
        my $zone = $directive eq 'larder_zone' ? '' : "larder_zone 8m;\n";
        my ($code, $said) = $t->nginx_test("$zone$directive $arguments;\nserver { listen 127.0.0.1:1; }\n");
        push @wrong, "$directive $arguments: status $code: $said" unless $code == 0 || ($code == 1 && $said =~ / in conf:\d+$/m);
    }
    is_deeply \@wrong, [], "$directive is taken or refused";
}
done_testing;
