# The Debian packages in a clean Debian 12: installed, used, upgraded, removed, purged. The clean system is kept in
# build/chroot, and each run uses a copy of it. The packages contain what `make build` has built.
use Larder::Test;
use Cwd ();
use Fcntl qw(LOCK_EX);
use File::Basename qw(basename);
use File::Find ();

plan skip_all => 'needs root, for chroot' if $> != 0;
plan skip_all => 'needs mount namespaces, for an installation of its own' if system('unshare --mount true 2>/dev/null') != 0;
plan skip_all => 'the packages are for Debian\'s own nginx' if $ENV{LARDER_NGINX} || $ENV{LARDER_MODULE};
my $build = Cwd::abs_path($ENV{LARDER_BUILD} || "$Larder::Test::root/build/release");
plan skip_all => 'a module for a sanitizer is no package\'s' if `ldd $build/ngx_module/ngx_http_larder_module.so` =~ /lib[au]\w*san\.so/;
my $t     = Larder::Test->new;
my $clean = $t->root . '/build/chroot/bookworm';
my $root  = $t->dir . '/root';

sub run_well {
    my ($what, $command, $env) = @_;
    my ($code, $said) = $t->run_command($command, {DEBIAN_FRONTEND => 'noninteractive', LC_ALL => 'C.UTF-8', %{$env || {}}});
    is $code, 0, $what or die "$what: @$command: $said";
    return $said;
}
sub inside { my ($what, @command) = @_; return run_well($what, ['chroot', $root, @command], {PATH => '/usr/sbin:/usr/bin:/sbin:/bin'}) }

# --- build, and look at them --------------------------------------------------------------------------------------------

my $first = $t->dir . '/first';
run_well('the packages are built, of the version that is asked for', [$t->root . '/tools/package', $first],
    {LARDER_PACKAGE_BUILD => $build, LARDER_PACKAGE_VERSION => '0.1.0~before', DEB_BUILD_OPTIONS => 'noautodbgsym', DPKG_DEB_COMPRESSOR_TYPE => 'gzip', DPKG_DEB_COMPRESSOR_LEVEL => 1});
my %deb = map { basename($_) =~ /^(\S+?)_0\.1\.0~before_/ ? ($1 => $_) : () } glob "$first/*.deb";
my @names = qw(larder-doc larderd libnginx-mod-http-larder python3-django-larder);
is_deeply [sort keys %deb], \@names, 'they are module, daemon, Django package and docs';
my ($code, $said) = $t->run_command(['lintian', '--allow-root', '--fail-on', 'error', @deb{@names}]);
is $code, 0, 'lintian finds no error' or diag $said;
my $depends = run_well('they say what they depend on', ['dpkg-deb', '-f', $deb{'libnginx-mod-http-larder'}, 'Depends']);
like $depends, qr/\bnginx-abi-1\.22\.1-\d+\b/, 'the module depends on the nginx that it was built for';

# The same packages with a higher version.
my $second = $t->dir . '/second';
mkdir $second;
for my $name (@names) {
    my $tree = $t->dir . "/tree-$name";
    run_well("$name is taken apart", ['dpkg-deb', '-R', $deb{$name}, $tree]);
    $t->file("tree-$name/DEBIAN/control", $t->read_file("$tree/DEBIAN/control") =~ s/^Version: .*$/Version: 0.1.0/mr);
    run_well('... and put together as the release', ['dpkg-deb', '-Zgzip', '-z1', '-b', $tree, "$second/$name.deb"]);
}

# --- a clean Debian -----------------------------------------------------------------------------------------------------

run_well('build/chroot is there', ['mkdir', '-p', $t->root . '/build/chroot']);
open my $lock, '>', "$clean.lock" or die "$clean.lock: $!";
flock $lock, LOCK_EX;
if (!-d $clean) {
    my @needed = grep { !/^nginx-abi/ } map { /^\s*([\w.+-]+)/ ? $1 : () } map { split /,/, scalar qx(dpkg-deb -f $_ Depends) } @deb{@names};
    run_well('Debian 12 is installed', ['rm', '-rf', '--one-file-system', "$clean.new"]);
    run_well('... with what the packages need', ['unshare', '--mount', 'mmdebstrap', '--quiet', '--mode=root', '--variant=minbase', '--skip=cleanup/apt/lists', '--dpkgopt=force-unsafe-io',
        '--include=' . join(',', 'nginx', 'logrotate', @needed),
        '--customize-hook=printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"', 'bookworm', "$clean.new"]);
    rename "$clean.new", $clean or die "$clean: $!";
}
close $lock;
run_well('a copy of a clean Debian 12', ['cp', '-a', '--reflink=auto', $clean, $root]);

# The files on its disk, except for those of apt and dpkg themselves, those that Python compiles, and those that a reboot
# removes.
sub everything {
    my @found;
    File::Find::find({no_chdir => 1, wanted => sub {
        my $path = substr $_, length $root;
        if ($path =~ m{^/(?:dev|proc|sys|tmp|run|var/cache|var/lib/(?:apt|dpkg))$|/__pycache__$}) { $File::Find::prune = 1; return }
        push @found, $path if $path !~ m{^/var/(?:log|lib/nginx)/|^/etc/\w+-$};    # logs of servers, and backups of the accounts
    }}, $root);
    return [sort @found];
}
my $before   = everything();
my $accounts = $t->read_file("$root/etc/passwd") . $t->read_file("$root/etc/group");

sub install {
    my ($what, $directory) = @_;
    run_well('the packages are at hand', ['cp', '-r', $directory, "$root/tmp/packages"]);
    my @files = map { '/tmp/packages/' . basename($_) } glob "$root/tmp/packages/*.deb";
    my $said = inside($what, 'apt-get', '-qq', '-o', 'Dpkg::Options::=--force-unsafe-io', 'install', '--no-install-recommends', '--allow-downgrades', '-y', @files);
    run_well('... and put away', ['rm', '-r', "$root/tmp/packages"]);
    return $said;
}

# --- installed, and used ------------------------------------------------------------------------------------------------

install('they are installed', $first);
like inside('nginx accepts its configuration', 'nginx', '-t'), qr/test is successful/, '... with the module';
is readlink "$root/etc/nginx/modules-enabled/50-mod-http-larder.conf", '/usr/share/nginx/modules-available/mod-http-larder.conf', '... which is enabled';
my ($mode, $gid) = (stat "$root/etc/larder/larderd.toml")[2, 5];
is sprintf('%o', $mode & 07777), '640', 'larderd\'s secrets are not for everybody';
is $gid, (split /:/, inside('larderd has an account', 'getent', 'group', 'larder'))[2], '... but for larderd';
is inside('Python has the Django package', 'python3', '-c', 'import larder; print(larder.__version__)'), "0.1.0\n", '... of this version';
inside('manual pages and samples are there', 'ls', '/usr/share/man/man8/larderd.8.gz', '/usr/share/man/man5/larder-directives.5.gz', '/usr/share/doc/larder/examples/site.conf');
inside('logrotate reads what is for it', 'logrotate', '-d', '/etc/logrotate.d/larderd');

my $key = 'a-signing-key-for-tests';
my $configuration = $t->read_file("$root/etc/larder/larderd.toml");
$configuration =~ s/^key = .*$/key = "$key"/m;
$configuration .= $t->expand(qq([api]\nlisten = "\@larderd\@"\ntoken = "a-token-for-tests"\n));
open my $file, '>', "$root/etc/larder/larderd.toml" or die $!;    # written in place, so that owner and mode stay
print $file $configuration;
close $file;
unlink "$root/etc/nginx/sites-enabled/default";
$t->file('root/etc/nginx/conf.d/site.conf', <<"END");
larder_zone 8m;
larder_signing_key $key;
larder_daemon unix:/run/larder/jobs.sock;
server { listen \@nginx\@; location / { larder near; larder_valid 1h; root /srv; add_header X-Larder \$larder_status; } }
END
$t->file('root/srv/page.html', 'a page');
inside('larderd has a directory for its socket, as its unit makes it', 'install', '-d', '-o', 'larder', '-g', 'www-data', '-m', '750', '/run/larder');

sub used {
    my ($when) = @_;
    inside("larderd accepts its configuration, $when", 'larderd', '--check');
    my $daemon = $t->_start('Larder::Test::Server', 'larderd', command => ['chroot', '--userspec=larder:www-data', '--groups=larder', $root, '/usr/sbin/larderd']);
    my $nginx  = $t->_start('Larder::Test::Server', 'nginx', command => ['chroot', $root, '/usr/sbin/nginx', '-g', 'daemon off;'], stop_signal => 'QUIT');
    $nginx->get('/page.html');
    my $page = $nginx->get('/page.html');
    is join(' ', $page->status, $page->body, $page->larder), '200 a page HIT', '... nginx serves a hit';
    inside('... and larderctl reaches larderd', 'larderctl', '--api', $t->address('larderd'), '--token', 'a-token-for-tests', 'status');
    is $_->stop, '', '... ' . $_->name . ' ends' for $nginx, $daemon;
    $_->{expected_death} = 1 for $nginx, $daemon;
}
used('installed');

# --- upgraded, removed, purged ------------------------------------------------------------------------------------------

install('they are upgraded', $second);
is inside('dpkg tells their versions', 'dpkg-query', '-W', '-f', '${Version} ', @names), '0.1.0 ' x @names, '... all are the release\'s';
is $t->read_file("$root/etc/larder/larderd.toml"), $configuration, '... larderd\'s configuration is as it was';
is sprintf('%o', (stat "$root/etc/larder/larderd.toml")[2] & 07777), '640', '... and still not for everybody';
used('upgraded');

unlink "$root/etc/nginx/conf.d/site.conf";
inside('they are removed', 'apt-get', '-qq', 'remove', '-y', @names);
like inside('nginx accepts its configuration', 'nginx', '-t'), qr/test is successful/, '... without the module';
is $t->read_file("$root/etc/larder/larderd.toml"), $configuration, '... larderd\'s configuration is kept';

inside('what larderd leaves is there', 'install', '-d', '-o', 'larder', '/var/lib/larder/purges', '/var/log/larder');
inside('they are purged', 'dpkg', '--purge', @names);
run_well('what the test put there is taken away', ['rm', '-rf', "$root/srv/page.html"]);
my %had = map { $_ => 1 } @$before;
is_deeply [grep { !$had{$_} } @{everything()}], [], '... and nothing is left behind';
is $t->read_file("$root/etc/passwd") . $t->read_file("$root/etc/group"), $accounts, '... and no account';
done_testing;
