# The harness of the system tests. It starts real servers on free ports in a temporary directory, and sends requests to them.
#
#   use Larder::Test;                       # also imports Test::More
#   my $t = Larder::Test->new;
#   my $backend = $t->backend;
#   $t->nginx(<<'CONF');                    # the contents of http { }
#       larder_zone 8m;
#       server { listen @nginx@; location / { larder near; larder_valid 1m; proxy_pass http://@backend@; } }
#   CONF
#   is $t->get('/')->cache_status, 'hit', ...;
#   done_testing;
#
# Configurations and files are templates: @NAME@ is the address "127.0.0.1:PORT" of the server with that name, which need not run yet,
# @NAME.port@ its port, @dir@ the temporary directory. Answers have $larder_status in X-Larder.
#
# done_testing also checks that every server has exited cleanly and left no process, and that no log contains an alert, a crash or a
# sanitizer's report, except for lines announced by $t->expect_log.
#
# Environment: LARDER_BUILD (build directory; default build/release), LARDER_MODULE, LARDERD, LARDERCTL (to replace single files of
# it), LARDER_NGINX (the nginx that the module was built for; default nginx), LARDER_TEST_LOG (level of nginx's error log),
# LARDER_TEST_KEEP (keep the directory and print its path).
package Larder::Test;
use strict;
use warnings;
use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_REUSEADDR SO_REUSEPORT);
use Test::More ();
use Time::HiRes qw(sleep time);
use Larder::Test::Http;
use Larder::Test::Process;

our $root = Cwd::abs_path(dirname(__FILE__) . '/../../..');
my $build = $ENV{LARDER_BUILD} || "$root/build/release";
my $module = $ENV{LARDER_MODULE} || "$build/ngx_module/ngx_http_larder_module.so";
our $nginx_program = $ENV{LARDER_NGINX} || 'nginx';
my @live;

# The version of nginx as a number (1029003 is 1.29.3), and whether it was configured with an option.
my $nginx_says = sub { our $said //= qx{'$nginx_program' -V 2>&1} };
sub nginx_version { return $nginx_says->() =~ m{^nginx version: \S+?/(\d+)\.(\d+)\.(\d+)}m ? $1 * 1_000_000 + $2 * 1000 + $3 : die "$nginx_program: no version" }
sub nginx_has { return index($nginx_says->() . ' ', " $_[0] ") >= 0 }

sub import {
    strict->import;
    warnings->import;
    my $caller = caller;
    Test::More->export_to_level(1, 'Test::More', grep { $_ ne 'done_testing' } @Test::More::EXPORT);
    no strict 'refs';
    *{"${caller}::done_testing"} = sub {
        $_->finish for @live;
        Test::More::done_testing();
    };
}

# Ends all servers, even if the test has died or lacks done_testing.
my $main_pid = $$;
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';

END {
    if ($$ == $main_pid) {
        my $status = $?;
        $_->finish for @live;
        $? = $status;
    }
}

sub new {
    my ($class) = @_;
    my $dir = File::Temp->newdir('larder-t-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{LARDER_TEST_KEEP});
    chmod 0755, "$dir";
    Test::More::note("files: $dir") if $ENV{LARDER_TEST_KEEP};
    my $self = bless {dir => $dir, servers => [], ports => {}, expected_log => []}, $class;
    push @live, $self;
    return $self;
}

sub dir  { "$_[0]{dir}" }
sub root { $root }

# The port of the server with this name; always the same for a name. The port stays reserved by a bound socket, so that the server can be
# killed and restarted while other tests run.
sub port {
    my ($self, $name) = @_;
    $self->{ports}{$name} ||= do {
        my $socket = IO::Socket::INET->new(Proto => 'tcp');
        setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1;
        setsockopt $socket, SOL_SOCKET, SO_REUSEPORT, 1;
        bind $socket, Socket::pack_sockaddr_in(0, Socket::INADDR_LOOPBACK()) or die "bind: $!";
        $socket;
    };
    return $self->{ports}{$name}->sockport;
}
sub address { '127.0.0.1:' . $_[0]->port($_[1]) }

sub expand {
    my ($self, $text) = @_;
    $text =~ s{\@([a-z][a-z0-9_]*)(\.port)?\@}{$1 eq 'dir' ? $self->dir : $2 ? $self->port($1) : $self->address($1)}ge;
    return $text;
}

# Expands a template, writes it to a file below the temporary directory, and returns the file's path.
sub file {
    my ($self, $name, $text) = @_;
    my $path = $self->dir . "/$name";
    my $made = '';
    for my $part (split m{/}, dirname($name)) { mkdir $self->dir . ($made .= "/$part"), 0755; }
    open my $file, '>:raw', $path or die "$path: $!";
    print $file $self->expand($text);
    close $file or die "$path: $!";
    return $path;
}

sub read_file {
    my ($self, $path) = @_;
    open my $file, '<:raw', $path or return '';
    local $/;
    return <$file> // '';
}

# --- servers -----------------------------------------------------------------------------------------------------------

sub _start {
    my ($self, $class, $name, %o) = @_;
    my $address = $o{address} || $self->address($name);
    my $server = $class->start(
        name => $name, address => $address, test => $self, output => $self->dir . "/$name.out",
        ready => sub { listens($address) }, %o,
    );
    push @{$self->{servers}}, $server;
    return $server;
}

# Whether a server accepts connections at "host:port" or the path of a unix socket.
sub listens {
    my ($address) = @_;
    return IO::Socket::UNIX->new(Peer => $address) if $address =~ m{^/};
    return IO::Socket::INET->new(PeerAddr => $address, Proto => 'tcp', Timeout => 1);
}

# Starts nginx. The argument is the contents of http { }. Options: name (nginx), workers (1), main and events (additional lines in these
# contexts), user ("nobody nogroup"), env.
sub nginx {
    my ($self, $http, %o) = @_;
    my $name   = $o{name} || 'nginx';
    my $config = $self->_nginx_config($name, $http, %o);
    my $server = $self->_start(
        'Larder::Test::Nginx', $name,
        command     => [$nginx_program, '-p', $self->dir . "/$name", '-c', $config, '-e', $self->dir . "/$name/error.log"],
        env         => {%{$self->_sanitizer_env($name)}, %{$o{env} || {}}},
        stop_signal => 'QUIT',
        error_log   => $self->dir . "/$name/error.log",
        options     => \%o,
    );
    $self->{nginx} ||= $server;
    return $server;
}

# The key with which larderd signs its calls to nginx.
our $signing_key = 'a-signing-key-for-tests';

sub _nginx_config {
    my ($self, $name, $http, %o) = @_;
    $http = "larder_signing_key $signing_key; $http" if $http =~ /larder_daemon/ && $http !~ /larder_signing_key/;
    my $dir     = $self->dir . "/$name";
    my $user    = $> == 0 ? 'user ' . ($o{user} || 'nobody nogroup') . ';' : '';
    my $workers = $o{workers} || 1;
    my $level   = $ENV{LARDER_TEST_LOG} || 'info';
    mkdir $dir, 0755;
    return $self->file("$name/nginx.conf", <<"END_OF_HEAD" . $http . "}\n");
load_module $module;
$user
daemon off;
worker_processes $workers;
worker_rlimit_nofile 8192;
pid $dir/nginx.pid;
error_log $dir/error.log $level;
@{[$o{main} || '']}
events { worker_connections 4096; @{[$o{events} || '']} }
http {
    access_log off;
    add_header X-Larder \$larder_status always;
    client_body_temp_path $dir/client_body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
#line 1 of the test's part
END_OF_HEAD
}

# The output of `nginx -t` for a configuration. "file:line" refers to the file of conf().
sub nginx_test {
    my ($self, $http, %o) = @_;
    my $config = $self->_nginx_config('nginx_test', $http, %o);
    my ($code, $said) = $self->run_command(
        [$nginx_program, '-t', '-q', '-p', $self->dir . '/nginx_test', '-c', $config, '-e', 'stderr'], $self->_sanitizer_env('nginx_test'));
    my $offset = () = substr($self->read_file($config), 0, index($self->read_file($config), '#line 1 of')) =~ /\n/g;
    $said =~ s{\Q$config\E:(\d+)}{'conf:' . ($1 - $offset - 1)}ge;
    return wantarray ? ($code, $said) : $said;
}

# With a module that is built with a sanitizer, nginx must preload the sanitizer's run-time libraries.
sub _sanitizer_env {
    my ($self, $name) = @_;
    our $preload //= join ':', `ldd $module 2>/dev/null` =~ m{(/\S*/lib(?:asan|ubsan)\.so\S*)}g;
    return {} unless $preload;
    my $log = $self->dir . "/sanitizer";
    mkdir $log;
    chmod 0777, $log;
    return {
        LD_PRELOAD   => $preload,
        ASAN_OPTIONS => "abort_on_error=1:detect_leaks=0:log_path=$log/$name",
        UBSAN_OPTIONS => "print_stacktrace=1:log_path=$log/$name",
    };
}

sub redis {
    my ($self, %o) = @_;
    my $name = $o{name} || 'redis';
    mkdir my $dir = $self->dir . "/$name";
    return $self->_start(
        'Larder::Test::Redis', $name,
        command => ['redis-server', '--bind', $o{bind} || '127.0.0.1', '--port', $o{port} || $self->port($name), '--dir', $dir,
            '--save', '', '--appendonly', 'no', @{$o{options} || []}],
        env => $o{env} || {},
        ($o{bind} ? (address => "$o{bind}:$o{port}") : ()),
    );
}

# Starts tests/fakes/dns. The file DIR/NAME.names has the addresses, in lines "NAME ADDRESS...".
sub dns {
    my ($self, %o) = @_;
    my $name = $o{name} || 'dns';
    $self->file("$name.names", $o{names} || '');
    return $self->_start('Larder::Test::Server', $name, command => ["$root/tests/fakes/dns", $self->port($name), $self->dir . "/$name.names"]);
}

# The environment of a server whose clock is off by this number of seconds.
sub clock {
    my ($self, $seconds) = @_;
    my ($library) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';
    die 'no libfaketime' unless $library;
    # libc comes before jemalloc, which would ask for the time while libfaketime is initialising.
    return {LD_PRELOAD => "$library:libc.so.6", FAKETIME => sprintf('%+ds', $seconds), DONT_FAKE_MONOTONIC => 1};
}

sub memcached {
    my ($self, %o) = @_;
    my $name = $o{name} || 'memcached';
    my @user = $> == 0 ? (-u => 'nobody') : ();
    return $self->_start(
        'Larder::Test::Memcached', $name,
        command => ['memcached', @user, '-l', '127.0.0.1', '-p', $self->port($name), '-U', 0, '-m', 64, @{$o{options} || []}],
    );
}

# Starts tests/fakes/backend, which describes its rules. They survive a restart of it.
sub backend {
    my ($self, %o) = @_;
    my $name = $o{name} || 'backend';
    return $self->_start(
        'Larder::Test::Backend', $name,
        command     => ["$root/tests/fakes/backend", $self->port($name), $self->dir . "/$name.rules"],
        stop_signal => 'INT',
    );
}

# Starts tests/fakes/store in one of its modes.
sub store_fake {
    my ($self, $mode, %o) = @_;
    my $name = $o{name} || 'store';
    return $self->_start(
        'Larder::Test::Server', $name,
        command     => ["$root/tests/fakes/store", $self->port($name), $mode],
        stop_signal => 'INT',
    );
}

# Starts uWSGI with the uwsgi protocol, and with FastCGI and SCGI at the addresses NAME_fastcgi and NAME_scgi. Options: site (a file of
# tests/fakes, default wsgi.py; it may use our Django package), env.
sub uwsgi {
    my ($self, %o) = @_;
    my $name = $o{name} || 'uwsgi';
    my $site = $o{site} || 'wsgi.py';
    my @user = $> == 0 ? ('--uid', 'nobody', '--gid', 'nogroup') : ();
    # A checkout in /root is not readable for nobody.
    my $file = $self->file("$name/$site", $self->read_file("$root/tests/fakes/$site"));
    $self->file("$name/larder/" . substr($_, length "$root/django/larder/"), $self->read_file($_))
        for glob "$root/django/larder/*.py $root/django/larder/*/*.py $root/django/larder/*/*/*.py";
    return $self->_start(
        'Larder::Test::Server', $name,
        command     => ['uwsgi', '--plugin', 'python3', '--socket', $self->address($name), '--fastcgi-socket',
            $self->address("${name}_fastcgi"), '--scgi-socket', $self->address("${name}_scgi"), '--master', '--need-app',
            '--die-on-term', '--processes', 1, '--disable-logging', '--pythonpath', $self->dir . "/$name", '--wsgi-file', $file, @user],
        stop_signal => 'TERM',
        env         => {PYTHONDONTWRITEBYTECODE => 1, %{$o{env} || {}}},
    );
}

# Starts PHP for fastcgi_pass, with the file `site` of tests/fakes and the default settings of sessions. Options: name (php), env, ini
# (use Debian's php.ini and extensions, which frameworks need).
sub php {
    my ($self, $site, %o) = @_;
    my $name = $o{name} || 'php';
    mkdir my $dir = $self->dir . "/$name";
    mkdir "$dir/sessions";
    $self->file("$name/$site", $self->read_file("$root/tests/fakes/$site"));
    return $self->_start(
        'Larder::Test::Server', $name,
        command => ['php-cgi', ($o{ini} ? () : '-n'), '-b', $self->address($name), '-d', "session.save_path=$dir/sessions"],
        env     => {LARDER_SEEN => "$dir/seen", %{$o{env} || {}}},
    );
}

# Starts larderd with this configuration (a template). Option ready: a function that returns true once larderd serves. By default it
# serves when the configuration was accepted and the unix socket @dir@/larderd.sock, if the configuration has it, or else the address
# @larderd@, accepts connections.
sub larderd {
    my ($self, $toml, %o) = @_;
    my $name   = $o{name} || 'larderd';
    my $config = $self->file("$name.toml", $toml);
    my $socket = $self->dir . "/$name.sock";
    return $self->_start(
        'Larder::Test::Server', $name,
        command => [$self->larderd_path, '-c', $config],
        $toml =~ /\Q$name.sock\E/ ? (address => $socket) : (),
        env => $self->_larderd_env($name),
        %o,
    );
}
sub larderd_path   { $ENV{LARDERD}   || "$build/daemon/larderd" }
sub larderctl_path { $ENV{LARDERCTL} || "$build/daemon/larderctl" }

sub _larderd_env {
    my ($self, $name) = @_;
    my $env = $self->_sanitizer_env($name);
    delete $env->{LD_PRELOAD};
    return $env;
}

# Runs a command to its end. Returns its exit code and its output.
sub run_command {
    my ($self, $command, $env) = @_;
    local %ENV = (%ENV, %{$env || {}});
    my $pid = open my $pipe, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec @$command or POSIX::_exit(127);
    }
    local $/;
    my $said = <$pipe> // '';
    close $pipe;
    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $said);
}

# --- requests to the first nginx ---------------------------------------------------------------------------------------

for my $method (qw(get head post request many raw load counters purge)) {
    no strict 'refs';
    *$method = sub { my $self = shift; $self->{nginx}->$method(@_) };
}

# Requests these URLs over HTTP/3 from the server with that name ("listen @NAME@ quic;"), all at once on one connection. Returns the answers
# in order. {length} is the size of the body; {body} is only there if the last component of the URL is unique. The client is Debian's
# ngtcp2-client, which sends the URL's authority as :authority, no Host, and no other fields. Further options are passed to it.
sub http3 {
    my ($self, $name, $urls, @options) = @_;
    my $bodies = $self->dir . '/http3';
    mkdir $bodies;
    unlink glob "$bodies/*";
    my ($code, $said) = $self->run_command(['gtlsclient', '--exit-on-all-streams-close', '--no-quic-dump',
        "--download=$bodies", @options, '127.0.0.1', $self->port($name), @$urls]);
    my @answers = map { bless {headers => [], length => 0, body => $self->read_file("$bodies/" . s{.*/}{}r)}, 'Larder::Test::Response' } @$urls;
    for (split /\n/, $said) {
        my ($stream, $what) = /^http: stream 0x([0-9a-f]+) (.*)/ or next;
        my $answer = $answers[hex($stream) / 4];    # a client's streams are 0, 4, 8 ...
        if    ($what =~ /^\[:status: (\d+)\]$/) { $answer->{status} = $1; }
        elsif ($what =~ /^\[([^:]+): (.*)\]$/)   { push @{$answer->{headers}}, [$1, $2]; }
        elsif ($what =~ /^body (\d+) bytes$/)    { $answer->{length} += $1; }
    }
    return @answers;
}

# --- waiting and judging -------------------------------------------------------------------------------------------------

# Polls until the condition is true, and returns its value. Returns false after `seconds` (10), with a diagnostic that names the condition.
sub await {
    my ($self, $condition, $what, $seconds) = @_;
    my $deadline = time + ($seconds || 10);
    while (1) {
        my $value = $condition->();
        return $value if $value;
        last if time > $deadline;
        sleep 0.02;
    }
    Test::More::diag('not within ' . ($seconds || 10) . ' s: ' . ($what || 'what was awaited'));
    return;
}

# Announces lines of error logs to which finish() would otherwise object.
sub expect_log {
    my ($self, @patterns) = @_;
    push @{$self->{expected_log}}, @patterns;
}

my $grave = qr/\[(?:alert|crit|emerg)\]|Sanitizer|runtime error:|exited on signal|Traceback|terminate called/;

sub finish {
    my ($self) = @_;
    return if $self->{finished}++;
    my @troubles;
    # In reverse order, so that nginx ends before its backends and stores.
    for my $server (reverse @{$self->{servers}}) {
        my $trouble = $server->stop;
        push @troubles, "$server->{name} $trouble" if $trouble;
    }
    my %seen;    # report one line of each kind
    my @logs = grep { -f } map { $_->{output}, $_->{error_log} || () } @{$self->{servers}};
    for my $log (@logs, glob $self->dir . '/sanitizer/*') {
        for my $line (grep { $_ =~ $grave } split /\n/, $self->read_file($log)) {
            (my $kind = $line) =~ s/\d+/N/g;
            next if $seen{$kind}++ || grep { $line =~ $_ } @{$self->{expected_log}};
            push @troubles, "$log: $line";
            # The other log lines of a connection that a worker has left open.
            push @troubles, grep { $_ ne $line && /\*$1 / } split /\n/, $self->read_file($log) if $line =~ /\*(\d+) open socket/;
        }
    }
    Test::More::ok(!@troubles, 'the servers ended cleanly and reported nothing grave')
        or Test::More::diag(join "\n", @troubles);
    @live = grep { $_ != $self } @live;
}

# --- kinds of servers ----------------------------------------------------------------------------------------------------

# A server that speaks HTTP at `address`.
package Larder::Test::Server;
use parent -norequire, 'Larder::Test::Process';
use Time::HiRes qw(time);

sub address { $_[0]{address} }

# Sends a GET, with options as in Larder::Test::Http::run: $nginx->get('/path', headers => [Cookie => 'a=1']). Option server: the name of
# another address to use.
sub get  { my ($self, $path, %o) = @_; return $self->request(path => $path, %o) }
sub head { my ($self, $path, %o) = @_; return $self->request(path => $path, method => 'HEAD', %o) }
sub post { my ($self, $path, $body, %o) = @_; return $self->request(path => $path, method => 'POST', body => $body, %o) }

sub request {
    my ($self, %request) = @_;
    my $other = delete $request{server};
    my $asked = defined $other ? bless({%$self, address => $self->{test}->address($other)}, ref $self) : $self;
    return ($asked->many(1, {%request}))[0];
}

# Sends requests of `count` clients at the same time, each on a connection of its own. Returns the answers, in no particular order.
#   many(200, '/page')  many(200, {path => ..., headers => ...})  many(10, sub { request number $_[0] })
sub many {
    my ($self, $count, $what) = @_;
    my ($next, @answers) = (0);
    Larder::Test::Http::run(
        address => $self->address,
        clients => $count,
        sink    => sub { push @answers, $_[0] },
        source  => sub {
            return if $next == $count;
            my $n = $next++;
            return {%{_request($what, $n)}, close => 1};
        },
    );
    return @answers;
}

sub _request {
    my ($what, $n) = @_;
    $what = $what->($n) if ref $what eq 'CODE';
    return ref $what ? $what : {path => $what};
}

# Sends raw bytes. Returns all bytes that come until the server closes the connection or sends nothing for some seconds.
sub raw {
    my ($self, $bytes, $patience) = @_;
    my $socket = Larder::Test::listens($self->address) or return '';
    syswrite $socket, $bytes;
    my $came = '';
    while (IO::Select->new($socket)->can_read($patience || 1)) {
        sysread($socket, $came, 1 << 16, length $came) or last;
    }
    return $came;
}

# Generates load from another process: `clients` (8) keep-alive connections send the requests in turn. Each request is a path or a hash as
# for request(). Option wrong: a function that gets an answer and returns what is wrong with it, or nothing. ->stop ends the load and returns
# the answers, as hashes of path, status, larder, complete, at (Unix time), seconds, error, wrong.
sub load {
    my ($self, $requests, %o) = @_;
    my $file = $self->{test}->dir . '/load-' . ++$self->{test}{loads};
    defined(my $pid = fork) or die "fork: $!";
    return bless {pid => $pid, file => $file}, 'Larder::Test::Load' if $pid;

    my ($n, $stop, $pause) = (0, 0, $o{pause} || 0);
    $SIG{TERM} = sub { $stop = 1 };
    $SIG{INT} = 'IGNORE';
    open my $out, '>', $file or POSIX::_exit(1);
    $out->autoflush(1);
    Larder::Test::Http::run(
        address => $self->address,
        clients => $o{clients} || 8,
        source  => sub {
            return if $stop || getppid == 1;
            Time::HiRes::sleep($pause) if $pause;
            return {headers => $o{headers}, %{_request($requests->[$n++ % @$requests])}};
        },
        sink => sub {
            my ($r) = @_;
            print $out join("\t", $r->{request}{path}, $r->status, $r->larder, $r->complete ? 1 : 0, $r->{started},
                $r->{seconds}, $r->error // '', $o{wrong} && $o{wrong}->($r) || ''), "\n";
        },
    );
    close $out;
    POSIX::_exit(0);
}

package Larder::Test::Load;

# The number of answers so far.
sub count { my $n = () = Larder::Test->read_file($_[0]{file}) =~ /\n/g; return $n }

sub stop {
    my ($self) = @_;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    return map {
        my %answer;
        @answer{qw(path status larder complete at seconds error wrong)} = split /\t/, $_, -1;
        \%answer;
    } split /\n/, Larder::Test->read_file($self->{file});
}

package Larder::Test::Nginx;
use parent -norequire, 'Larder::Test::Server';

# Checks that master and workers have exited. A death by a signal that the test has not sent is an alert in the log.
sub error_log { $_[0]{test}->read_file($_[0]{error_log}) }
sub workers   { $_[0]->children }

# Loads another configuration (the contents of http { }) by HUP, and waits until the new workers serve.
sub reload {
    my ($self, $http) = @_;
    $self->{test}->_nginx_config($self->{name}, $http, %{$self->{options}}) if defined $http;
    my %old = map { $_ => 1 } $self->workers;
    $self->signal('HUP');
    return $self->{test}->await(sub { my @now = $self->workers; @now && !grep { $old{$_} } @now }, 'reload');
}

# The counters and gauges of the larder_status location at this path, by name.
sub counters {
    my ($self, $path) = @_;
    my %values;
    for my $line (split /\n/, $self->get($path || '/larder_status')->body) {
        $values{$1 // $2} = $3 if $line =~ /^(?:larder_events_total\{event="(\w+)"\}|(\w+)) (\S+)$/;
    }
    return \%values;
}

# Purges by a POST to the larder_purge location. The argument is the query: purge('tag=a&tag=b', path => ...).
sub purge { my ($self, $query, %o) = @_; return $self->post((delete $o{path} || '/larder_purge') . "?$query", '', %o) }

package Larder::Test::Backend;
use parent -norequire, 'Larder::Test::Server';

sub control {
    my ($self, $path, $body) = @_;
    my $answer = $self->post("/__$path", $body // '');
    die "backend: " . $answer->body . ($answer->error // '') if $answer->status != 200;
    return JSON::PP::decode_json($answer->body);
}

# Sets rules by path: set('/a' => {status => 404}, '/b*' => {hold => 1}). undef removes a rule.
sub set     { my ($self, %rules) = @_; $self->control(rules => JSON::PP::encode_json(\%rules)) }
sub mode    { $_[0]->control(mode => $_[1]) }
sub release { $_[0]->control('release') }
sub proceed { $_[0]->control('proceed') }
sub reset   { $_[0]->control('reset') }
sub stats   { $_[0]->control('stats') }
sub log     { @{$_[0]->stats->{log}} }

# The number of requests so far, for a path or in total.
sub count {
    my ($self, $path) = @_;
    my $stats = $self->stats;
    return defined $path ? ($stats->{paths}{$path} || {count => 0})->{count} : $stats->{total};
}

package Larder::Test::Redis;
use parent -norequire, 'Larder::Test::Server';

# Runs one command by redis-cli, and returns its output without the last newline.
sub cli {
    my ($self, @command) = @_;
    my ($host, $port) = $self->{address} =~ /^(.*):(\d+)$/;
    my (undef, $said) = $self->{test}->run_command(['redis-cli', '-h', $host, '-p', $port, @command]);
    chomp $said;
    return $said;
}

package Larder::Test::Memcached;
use parent -norequire, 'Larder::Test::Server';

# Sends one command, such as command("get larder:x"), and returns the answer.
sub command { $_[0]->raw("$_[1]\r\nquit\r\n") }

1;
