# A small HTTP/1.1 client for many simultaneous requests on one thread, in which a test controls every byte.
package Larder::Test::Http;
use strict;
use warnings;
use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

our $timeout = 30;    # seconds for one exchange

# Sends requests and returns the responses.
#   address  "host:port" or the path of a Unix socket
#   source   a function that returns the next request, or nothing when there are no more:
#            {path, method, headers => [name, value, ...], body, version, raw (all bytes as they are), close}
#   sink     a function that gets each Larder::Test::Response when it is complete
#   clients  maximal number of connections; each is reused for further requests if the server allows it
sub run {
    my (%o) = @_;
    my ($reads, $writes, %by_fd) = (IO::Select->new, IO::Select->new);
    my $idle = $o{clients} || 1;
    my $more = 1;

    my $begin = sub {
        my ($c) = @_;
        my $request = $more ? $o{source}->() : undef;
        if (!$request) {
            $more = 0;
            return;
        }
        $c->{socket} ||= _connect($o{address});
        my $response = bless {request => $request, started => time, headers => [], body => '', bytes => ''},
            'Larder::Test::Response';
        @$c{qw(out response)} = (_bytes($request, $o{address}), $response);
        if (!$c->{socket}) {
            $response->{error} = "connect: $!";
            _done($response);
            $o{sink}->($response);
            return;
        }
        $by_fd{fileno $c->{socket}} = $c;
        $writes->add($c->{socket});
        $reads->add($c->{socket});
        return 1;
    };
    my $end = sub {
        my ($c, $error) = @_;
        my $response = delete $c->{response};
        $response->{error} //= $error if $error;
        _done($response);
        delete $by_fd{fileno $c->{socket}};
        $writes->remove($c->{socket});
        $reads->remove($c->{socket});
        delete $c->{socket} unless $response->{complete} && $response->{keep};
        $o{sink}->($response);
        $begin->($c) or $idle++;
    };

    while (1) {
        while ($idle > 0 && $more) { $begin->({}) and $idle--; }
        last unless %by_fd;
        my ($readable, $writable) = IO::Select->select($reads, $writes, undef, 0.5);
        for my $socket (@{$writable || []}) {
            my $c = $by_fd{fileno $socket} or next;
            my $sent = syswrite $socket, $c->{out};
            if (!defined $sent) {
                $end->($c, "write: $!") unless $! == EAGAIN || $! == EINTR || $! == EINPROGRESS;
                next;
            }
            substr($c->{out}, 0, $sent, '');
            $writes->remove($socket) if $c->{out} eq '';
        }
        for my $socket (@{$readable || []}) {
            my $c = defined fileno $socket && $by_fd{fileno $socket} or next;
            my $response = $c->{response};
            my $got = sysread $socket, $response->{bytes}, 1 << 18, length $response->{bytes};
            if (!defined $got) {
                $end->($c, "read: $!") unless $! == EAGAIN || $! == EINTR;
                next;
            }
            $response->{first_byte} //= time - $response->{started};
            $response->_parse($got == 0);
            $end->($c) if $response->{complete} || $got == 0;
        }
        my $now = time;
        for my $c (values %by_fd) {
            $end->($c, "no complete answer within $timeout s") if $now - $c->{response}{started} > $timeout;
        }
    }
}

sub _connect {
    my ($address) = @_;
    return IO::Socket::UNIX->new(Peer => $address, Blocking => 0) if $address =~ m{^/};
    return IO::Socket::INET->new(PeerAddr => $address, Proto => 'tcp', Blocking => 0);
}

sub _bytes {
    my ($r, $address) = @_;
    return $r->{raw} if defined $r->{raw};
    my @headers = @{$r->{headers} || []};
    my %given;
    for (my $i = 0; $i < @headers; $i += 2) { $given{lc $headers[$i]} = 1; }
    unshift @headers, Host => ($address =~ m{^/} ? 'localhost' : $address) unless $given{host};
    push @headers, 'Content-Length' => length $r->{body} if defined $r->{body} && !$given{'content-length'};
    push @headers, Connection => 'close' if $r->{close};
    my $bytes = join(' ', $r->{method} || 'GET', $r->{path}, $r->{version} || 'HTTP/1.1') . "\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) { $bytes .= "$name: $value\r\n"; }
    return "$bytes\r\n" . ($r->{body} // '');
}

sub _done {
    my ($response) = @_;
    $response->{seconds} = time - $response->{started};
    $response->{status} //= 0;    # 0: there was no HTTP response
    $response->{error} //= 'the connection was closed midway' unless $response->{complete};
}

package Larder::Test::Response;

# status (0 if none came), body, complete, error, seconds (to the last byte), first_byte (seconds), request
sub status   { $_[0]{status} }
sub body     { $_[0]{body} }
sub complete { $_[0]{complete} }
sub error    { $_[0]{error} }

# All values of a header, in order; in scalar context one text, undef if there is none.
sub header {
    my ($self, $name) = @_;
    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$self->{headers}};
    return wantarray ? @values : @values ? join(', ', @values) : undef;
}

# $larder_status of the request, which the harness's configuration of nginx sends in X-Larder.
sub larder { scalar $_[0]->header('X-Larder') // '' }

# The parameters of Larder in Cache-Status (RFC 9211), such as "hit" or "fwd=miss".
sub cache_status { ($_[0]->header('Cache-Status') // '') =~ /^larder;\s*([^;]+)/i ? $1 : '' }

sub _parse {
    my ($self, $at_end) = @_;
    while (!defined $self->{status}) {
        my $end = index $self->{bytes}, "\r\n\r\n";
        return if $end < 0;
        my ($first, @lines) = split /\r\n/, substr $self->{bytes}, 0, $end;
        substr $self->{bytes}, 0, $end + 4, '';
        my ($version, $status) = $first =~ m{^HTTP/(1\.[01]) (\d{3})} or return $self->{error} = "not HTTP: $first";
        next if $status < 200;
        $self->{status}  = $status;
        $self->{headers} = [map { [/^([^:]*):\s*(.*?)\s*$/s] } @lines];
        my $connection = lc($self->header('Connection') // '');
        $self->{keep} = $version eq '1.1' ? $connection !~ /close/ : $connection =~ /keep-alive/;
        my $method = $self->{request}{method} // (($self->{request}{raw} // '') =~ /^(\w+)/)[0] // 'GET';
        my $coding = lc($self->header('Transfer-Encoding') // '');
        if    ($method eq 'HEAD' || $status == 204 || $status == 304) { $self->{left}    = 0; }
        elsif ($coding eq 'chunked')                                  { $self->{chunked} = 1; }
        elsif (defined $self->header('Content-Length')) { $self->{left} = $self->header('Content-Length'); }
        else                                            { $self->{keep} = 0; }
    }
    return $self->_parse_chunks if $self->{chunked};
    if (defined $self->{left}) {
        my $take = length $self->{bytes} < $self->{left} ? length $self->{bytes} : $self->{left};
        $self->{body} .= substr $self->{bytes}, 0, $take, '';
        $self->{left} -= $take;
        $self->{complete} = 1 if $self->{left} == 0;
    }
    else {
        $self->{body} .= $self->{bytes};
        $self->{bytes} = '';
        $self->{complete} = 1 if $at_end;
    }
}

sub _parse_chunks {
    my ($self) = @_;
    while ($self->{bytes} =~ /^([0-9a-f]+)[^\r\n]*\r\n/i) {
        my ($line, $size) = (length $&, hex $1);
        return if length $self->{bytes} < $line + $size + 2;
        $self->{body} .= substr $self->{bytes}, $line, $size;
        substr $self->{bytes}, 0, $line + $size + 2, '';
        return $self->{complete} = 1 if $size == 0;
    }
}

1;
