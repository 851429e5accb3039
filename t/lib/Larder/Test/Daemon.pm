# larderd in a system test: a usual configuration that a test adds to, and the API by larderctl.
#
#   my $d = Larder::Test::Daemon->start($t, more => '[render] ...');   # queue and store "main" in @redis@, all hosts at @backend@
#   $d->ctl('warm', $d->url('/page'));          # (exit code, output)
#   $d->status->{jobs}{stored}                  # /v1/status
#   $d->await_jobs(stored => 1)                 # until so many jobs ended so
#
# Options: queue, store, backend: what goes below [queue], [[store]], [[backend]] in place of the usual; more: further text;
# name: of the server (larderd).
package Larder::Test::Daemon;
use strict;
use warnings;
use JSON::PP ();

our $token = 'a-token-for-tests';

sub toml {
    my ($class, %o) = @_;
    my $name    = $o{name}    || 'larderd';
    my $queue   = $o{queue}   || 'url = "redis://@redis@/0"';
    my $store   = $o{store}   || 'url = "redis://@redis@/0"';
    my $backend = $o{backend} || '';
    return <<"TOML" . ($o{more} || '');
[api]
listen = "\@$name\@"
token = "$token"
[log]
level = "debug"
[queue]
retry_first = "50ms"
lease = "2s"
$queue
[[store]]
name = "main"
$store
[[backend]]
name = "site"
hosts = ["*"]
url = "http://\@backend\@"
$backend
TOML
}

sub start {
    my ($class, $t, %o) = @_;
    my $name = $o{name} || 'larderd';
    my $server = $t->larderd($class->toml(%o), name => $name, %{$o{server} || {}});
    return bless {t => $t, server => $server, name => $name}, $class;
}

sub server { $_[0]{server} }
sub log    { $_[0]{server}->printed }
sub url    { "http://example.com$_[1]" }

# larderctl with these arguments: (exit code, what it printed).
sub ctl {
    my ($self, @arguments) = @_;
    my $t = $self->{t};
    return $t->run_command([$t->larderctl_path, '--api', $t->address($self->{name}), '--token', $token, @arguments]);
}

# The same with --json; its answer parsed.
sub ask {
    my ($self, @arguments) = @_;
    my ($code, $said) = $self->ctl('--json', @arguments);
    die "larderctl @arguments: $said" if $code != 0;
    return JSON::PP::decode_json($said);
}

sub status { $_[0]->ask('status') }

# The entry that a visitor without cookies would get, as explain tells it.
sub entry {
    my ($self, $path) = @_;
    my ($entry) = grep { $_->{plain} } @{$self->ask('explain', $self->url($path))->{entries}};
    return $entry;
}

sub await_jobs {
    my ($self, $outcome, $count) = @_;
    return $self->{t}->await(sub { $self->status->{jobs}{$outcome} >= $count }, "$count jobs $outcome");
}

sub reload { $_[0]{server}->signal('HUP') }

# One request to the API as it is: the answer.
sub request {
    my ($self, %request) = @_;
    $request{headers} = [@{$request{headers} || []}, Authorization => "Bearer $token"] unless delete $request{anonymous};
    return $self->{server}->request(%request);
}

1;
