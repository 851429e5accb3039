# Module and larderd are replaced under load, either one first, by nginx's binary upgrade and a drain, and back again: no
# request fails.
BEGIN {
    # The module as a package installs it: another file is renamed over it.
    require File::Temp;
    our $installed = File::Temp->newdir('larder-module-XXXXXX', TMPDIR => 1);
    our $built = $ENV{LARDER_MODULE} || ($ENV{LARDER_BUILD} || 'build/release') . '/ngx_module/ngx_http_larder_module.so';
    chmod 0755, "$installed";
    system('cp', $built, "$installed/module.so") == 0 or die "cp $built";
    $ENV{LARDER_MODULE} = "$installed/module.so";
}
use Larder::Test;
use Larder::Test::Daemon;

our ($installed, $built);
my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
my $http = <<'CONF';
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_daemon redis://@redis@;
    server { listen @nginx@; server_name example.com; location / { larder main; larder_lock off; proxy_pass http://@backend@; } }
CONF
# nginx accepts no binary upgrade while the process that started it lives, as it might itself be a new binary. It finds the
# binary by its path.
chomp(my $program = qx{command -v '$Larder::Test::nginx_program'});
my $pid_file = $t->dir . '/nginx/nginx.pid';
my $keep     = join '', map { "env $_; " } keys %{$t->_sanitizer_env('nginx')};    # also for the next master
my @options  = ('-c', $t->_nginx_config('nginx', $http, workers => 2, main => $keep), '-p', $t->dir . '/nginx', '-e', $t->dir . '/nginx/error.log');
my $nginx    = $t->{nginx} = $t->_start(
    'Larder::Test::Server', 'nginx',
    command   => ['sh', '-c', '("$@" & until [ -s "$0" ]; do sleep 0.01; done); exec sleep infinity', $pid_file, $program, @options],
    env       => $t->_sanitizer_env('nginx'),
    error_log => $t->dir . '/nginx/error.log',
);
my $daemon = Larder::Test::Daemon->start($t, name => 'larderd1');

# Half of the pages stay fresh for the whole test, half have to be renewed all the time.
$backend->set('/kept-*' => {headers => [['Cache-Control', 'max-age=600']]}, '/changing-*' => {headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]});
my @paths = map { ("/kept-$_", "/changing-$_") } 1 .. 5;
my @as    = (headers => [Host => 'example.com']);
$t->get($_, @as) for @paths;
# Each request has its own connection: the server may close a kept one just as the next request arrives, and clients retry then.
my $load  = $t->load([map { {path => $_, close => 1} } @paths], @as, clients => 4, pause => 0.005);
my $renders = sub { my $made = $daemon->status->{jobs}{stored}; $t->await(sub { $daemon->status->{jobs}{stored} > $made + 3 }, 'larderd makes pages') };
my $go_on = sub { my $from = $load->count; $t->await(sub { $load->count > $from + 100 }, 'the load goes on') && $renders->() };
ok $go_on->(), 'nginx and larderd serve a load';

# Installs another build of the module in place of the old one. The kernel tells which one a process has loaded.
sub install_module {
    system('cp', $built, "$installed/module.new") == 0 or die "cp: $?";
    rename "$installed/module.new", "$installed/module.so" or die "rename: $!";
}
sub has_new_module { my ($pid) = @_; return $t->read_file("/proc/$pid/maps") =~ m{\Q$installed\E/module\.so$}m }

# nginx's masters, whoever started them, and their workers.
my ($master) = $t->read_file($pid_file) =~ /^(\d+)$/m;
sub runs { my ($pid) = @_; return scalar grep { $_ == $pid } $nginx->members }
sub workers_of { my ($pid) = @_; return grep { ($t->read_file("/proc/$_/stat") =~ /\) \S (\d+)/)[0] == $pid } $nginx->members }
sub another_master {
    my $new;
    kill USR2 => $master;
    $t->await(sub { ($new) = $t->read_file($pid_file) =~ /^(\d+)$/m; $new && $new != $master && workers_of($new) == 2 }, 'another master') or die 'no other master';
    return $new;
}

my $started = 1;
sub replace_larderd {
    my $next = Larder::Test::Daemon->start($t, name => 'larderd' . ++$started);
    is $daemon->server->stop, '', 'larderd drains, and ends';
    $daemon->server->{expected_death} = 1;
    $daemon = $next;
}

# The module first, by nginx's binary upgrade; then larderd.
install_module();
my %before = map { $_ => 1 } workers_of($master);
kill HUP => $master;
ok $t->await(sub { my @now = workers_of($master); @now == 2 && !grep { $before{$_} } @now }), 'nginx is reloaded';
is scalar(grep { has_new_module($_) } workers_of($master)), 0, '... which does not give it the new module';
my $new = another_master();
is scalar(grep { !has_new_module($_) } workers_of($new)), 0, 'a second master has it, and serves beside the old one';
kill QUIT => $master;
ok $t->await(sub { !runs($master) }), '... which ends';
$master = $new;
ok $go_on->(), '... and the load goes on, with the old larderd';
replace_larderd();
ok $go_on->(), 'the load goes on with the new larderd';

# larderd first; then the module, which is downgraded once.
replace_larderd();
ok $go_on->(), 'the load goes on with a newer larderd and the old module';
install_module();
for my $taken_back (1, 0) {
    $new = another_master();
    is scalar(grep { !has_new_module($_) } workers_of($new)), 0, 'a second master has a newer module';
    kill WINCH => $master;
    ok $t->await(sub { !grep { $_ != $new } workers_of($master) }), '... and takes over';
    ok $go_on->(), '... and the load goes on';
    if ($taken_back) {
        kill HUP => $master;
        ok $t->await(sub { (grep { $_ != $new } workers_of($master)) == 2 }), 'the upgrade is undone: the old master has workers again';
        kill QUIT => $new;
        ok $t->await(sub { !runs($new) }), '... and the new one ends';
        ok $t->await(sub { ($t->read_file($pid_file) =~ /^(\d+)$/m)[0] == $master }), '... and nginx is as before';
    } else {
        kill QUIT => $master;
        ok $t->await(sub { !runs($master) }), 'the old one ends';
        $master = $new;
    }
    ok $go_on->(), '... and the load goes on';
}

my @answers = $load->stop;
cmp_ok scalar @answers, '>', 700, 'many were served';
is scalar(grep { $_->{status} != 200 || !$_->{complete} || $_->{error} } @answers), 0, '... and no request failed'
    or diag explain [grep { $_->{status} != 200 || !$_->{complete} || $_->{error} } @answers];
is $backend->count('/kept-1'), 1, '... and a page in the store was never rendered again';

kill QUIT => $master;
ok $t->await(sub { !runs($master) }), 'the last nginx ends';
done_testing;
