# larderd in a system test: a usual configuration that a test adds to, and the API by larderctl.
#
#   my $d = Larder::Test::Daemon->start($t, more => '[render] ...');   # queue and store "main" in @redis@, pages by nginx
#   $d->ctl('warm', $d->url('/page'));          # (exit code, output)
#   $d->status->{jobs}{stored}                  # /v1/status
#   $d->await_jobs(stored => 1)                 # until so many jobs ended so
#
# Options: queue, store: what goes below [queue], [[store]] in place of the usual; backend: all hosts are rendered by @backend@
# directly, with this below [[backend]] (may be '', which is the usual in tests without nginx); more: further text; name: of the server (larderd).
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

# One request to the API as it is: the answer.
sub request {
    my ($self, %request) = @_;
    $request{headers} = [@{$request{headers} || []}, Authorization => "Bearer $token"] unless delete $request{anonymous};
    return $self->{server}->request(%request);
}

1;
