# make install puts all of Larder below a prefix, nginx loads the module from there, and /etc is not touched.
use Larder::Test;
use File::Find ();

my $t     = Larder::Test->new;
my $build = $ENV{LARDER_BUILD} || "$Larder::Test::root/build/release";
my $root  = $t->dir . '/installed';
my ($code, $said) = $t->run_command(['cmake', '--install', $build, '--prefix', '/opt/larder'], {DESTDIR => $root});
is $code, 0, 'it is installed below a prefix, and elsewhere than it will be' or diag $said;
my @files;
File::Find::find(sub { push @files, $File::Find::name if -f }, $root);
s{^\Q$root\E}{} for @files;
is_deeply [grep { !m{^/opt/larder/} } @files], [], 'no file is installed outside of the prefix';
my %has = map { $_ => 1 } @files;
ok $has{"/opt/larder/$_"}, "it has $_"
    for qw(lib/nginx/modules/ngx_http_larder_module.so sbin/larderd bin/larderctl lib/systemd/system/larderd.service
        share/man/man8/larderd.8 share/man/man1/larderctl.1 share/man/man5/larderd.toml.5 share/man/man5/larder-directives.5
        share/bash-completion/completions/larderctl share/zsh/site-functions/_larderctl
        share/doc/larder/README.md share/doc/larder/LICENSE share/doc/larder/directives.md share/doc/larder/CHANGES
        share/doc/larder/examples/site.conf share/doc/larder/examples/larderd.toml);
my $unit = $t->read_file("$root/opt/larder/lib/systemd/system/larderd.service");
like $unit, qr{^ExecStart=/opt/larder/sbin/larderd }m, 'the unit starts what was installed';
unlike $unit, qr{/usr/(?:sbin|share)/}, '... and nothing else';
for my $program (qw(sbin/larderd bin/larderctl)) {
    ($code, $said) = $t->run_command(["$root/opt/larder/$program", '--version']);
    is $code, 0, "$program runs" or diag $said;
}
my $conf = $t->file('loaded.conf', "load_module $root/opt/larder/lib/nginx/modules/ngx_http_larder_module.so;\nevents {}\nhttp { larder_zone 8m; }\n");
($code, $said) = $t->run_command([$Larder::Test::nginx_program, '-t', '-c', $conf, '-g', 'pid ' . $t->dir . '/pid; error_log stderr;'], $t->_sanitizer_env('nginx'));
is $code, 0, 'nginx loads the module' or diag $said;
done_testing;
