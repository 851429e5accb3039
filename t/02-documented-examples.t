# Every example in the documentation is accepted by its program, with no more context than it needs.
use Larder::Test;

my $t = Larder::Test->new;
my $root = $t->root;
my ($nginx, $larderd) = (0, 0);
mkdir $t->dir . '/nginx_test';
symlink '/etc/nginx/uwsgi_params', $t->dir . '/nginx_test/uwsgi_params';

# The statements of a block, each with its braces.
sub statements {
    my (@statements, $open);
    for my $line (split /^/, $_[0]) {
        (my $code = $line) =~ s/#.*//;
        $open ? ($statements[-1] .= $line) : push @statements, $line;
        $open += ($code =~ tr/{//) - ($code =~ tr/}//) + 0;
    }
    return grep { /\S/ && !/^\s*#/ } @statements;
}

# Context that examples assume.
my %granted = (
    larder_zone        => 'larder_zone 8m;',
    larder_store       => 'larder_store main redis://127.0.0.1:6379;',
    larder_signing_key => 'larder_signing_key 0123456789abcdef0123456789abcdef;',
);
sub configuration {
    my ($example) = @_;
    my $needs = join '', map { "$granted{$_}\n" } grep { $example !~ /^$_ /m } sort keys %granted;
    my (@http, @server);
    push @{/^location/ ? \@server : \@http}, $_ for statements($example);
    return $needs . "upstream site { server 127.0.0.1:8000; }\nmap \$http_x_editor \$is_editor { default \"\"; }\n@http server { @server }\n";
}

for my $page ("$root/README.md", "$root/django/README.md", sort glob "$root/docs/*.md $root/docs/*/*.md") {
    my ($name) = $page =~ m{\Q$root\E/(.*)};
    my $text = $t->read_file($page);
    while ($text =~ /^```(nginx|toml)\n(.*?)^```/gms) {
        my ($kind, $example) = ($1, $2);
        my ($first) = $example =~ /^(?!#)(\S.*)$/m;
        if ($kind eq 'nginx') {
            $nginx++;
            my ($code, $said) = $t->nginx_test(configuration($example));
            is $code, 0, "$name: $first" or diag $said, configuration($example);
        } else {
            $larderd++;
            $example = $t->read_file("$root/conf/larderd-minimal.toml") . $example
                unless $example =~ /^\[queue\]/m;
            my ($code, $said) = $t->run_command([$t->larderd_path, '--check', '-c', $t->file('larderd.toml', $example)]);
            is $code, 0, "$name: $first" or diag $said;
        }
    }
}
cmp_ok $nginx, '>=', 35, 'there were examples for nginx';
cmp_ok $larderd, '>=', 2, '... and for larderd';

done_testing;
