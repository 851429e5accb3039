# larderd in a system test, with a default configuration to which a test can add, and its API through larderctl.
#
#   my $d = Larder::Test::Daemon->start($t, more => '[render] ...');   # queue and store "main" in @redis@, pages by nginx
#   $d->ctl('warm', $d->url('/page'));          # (exit code, output)
#   $d->status->{jobs}{stored}                  # /v1/status
#   $d->await_jobs(stored => 1)                 # waits until this number of jobs have this outcome
#
# Options: queue, store: the contents of [queue] and [[store]], instead of the default; backend: @backend@ renders all hosts directly, with
# these contents of [[backend]] (may be '', for tests without nginx); more: text to append; name: of the server (larderd).
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
    my $more = $o{more} || '';
    my $signing = $more =~ /^\[signing\]/m ? '' : qq([signing]\nkey = "$Larder::Test::signing_key"\n);
    my $renders = defined $o{backend} ? <<"BACKEND" : $signing . qq([nginx]\nurls = ["http://\@nginx\@"]\n);
[[backend]]
name = "site"
hosts = ["*"]
url = "http://\@backend\@"
$o{backend}
BACKEND
    return <<"TOML" . $renders . $more;
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
TOML
}

sub start {
    my ($class, $t, %o) = @_;
    my $name = $o{name} || 'larderd';
    $o{backend} //= '' unless $t->{nginx};
    my $server = $t->larderd($class->toml(%o), name => $name, %{$o{server} || {}});
    return bless {t => $t, server => $server, name => $name}, $class;
}

sub server { $_[0]{server} }
sub log    { $_[0]{server}->printed }
sub url    { "http://example.com$_[1]" }

# Runs larderctl with these arguments. Returns its exit code and its output.
sub ctl {
    my ($self, @arguments) = @_;
    my $t = $self->{t};
    return $t->run_command([$t->larderctl_path, '--api', $t->address($self->{name}), '--token', $token, @arguments]);
}

# The same with --json. Returns the parsed answer.
sub ask {
    my ($self, @arguments) = @_;
    my ($code, $said) = $self->ctl('--json', @arguments);
    die "larderctl @arguments: $said" if $code != 0;
    return JSON::PP::decode_json($said);
}

sub status { $_[0]->ask('status') }

# The result of explain for the entry that a visitor without cookies would get.
sub entry { $_[0]->entry_of($_[0]->url($_[1])) }
sub entry_of {
    my ($self, $url) = @_;
    my ($entry) = grep { $_->{plain} } @{$self->ask('explain', $url)->{entries}};
    return $entry;
}

sub await_jobs {
    my ($self, $outcome, $count) = @_;
    return $self->{t}->await(sub { $self->status->{jobs}{$outcome} >= $count }, "$count jobs $outcome");
}

sub reload { $_[0]{server}->signal('HUP') }

# Sends one request to the API, and returns the answer.
sub request {
    my ($self, %request) = @_;
    $request{headers} = [@{$request{headers} || []}, Authorization => "Bearer $token"] unless delete $request{anonymous};
    return $self->{server}->request(%request);
}

1;
