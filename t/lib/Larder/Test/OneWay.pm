# Tests that a page is the same byte for byte, and that the site gets the same request, whoever renders it: a visitor's miss, nginx's refresh,
# larderd, warm, prerender.
#
#   use Larder::Test;
#   use Larder::Test::OneWay;
#   one_way(
#       'a path mapping' => {page => '/shop/item', conf => 'location /shop/ { proxy_pass http://@backend@/; }'},
#       ...
#   );
#
# The members of each configuration:
#   page     the path that visitors request from www.example.com. All requests to the site for it, and no others, contain its last component.
#   conf     contents of server { }
#   http     contents of http { }; @front@ is the address of this nginx, @front_NAME@ another address of it
#   visitor  header fields of a second visitor, whose page is rendered by a miss, nginx and larderd
#   site     rules of @backend@, if it is to do more than echo each request: {PATH => {...}}
#   listen   NAME of another address, at which the visitors come in
#   url      of the page for warm and prerender, if it is not http://www.example.com + page; undef: no URL identifies the page
#   files    names of empty files in @dir@
#   no_file  true: the page can't have a file
#   file     the contents of the file, if they differ from the page because nginx's filters change pages when they are served
#   visitor_only  true: other visitors get no page, or the same one
#   closed   true: nginx's access rules refuse some clients. A known page is renewed, but no file is written
#   own      true: the second visitor's page is personal, so that there are no jobs for it
#   h2       true: the visitors use HTTP/2 and TLS
#   before   a function that is called with the nginx before a visitor's first request
#   alone    a pattern for larderd's log, that says why only nginx can regenerate the second visitor's page; plain => for the plain visitor's
#   fields   names, in lower case, of header fields in which requests to the site may differ, as documented
package Larder::Test::OneWay;
use strict;
use warnings;
use JSON::PP ();
use Test::More ();
use Larder::Test ();
use Larder::Test::Daemon ();
use Exporter 'import';
our @EXPORT = qw(one_way);

my $json = JSON::PP->new->canonical;
my $host = 'www.example.com';
# Header fields that belong to one answer, or to one connection.
my %of_answer = map { $_ => 1 } qw(date age accept-ranges x-larder x-render cache-status cache-control connection keep-alive content-length transfer-encoding server);

sub one_way {
    my @table = @_;
    my $self  = bless {t => Larder::Test->new}, __PACKAGE__;
    my $t     = $self->{t};
    my @configurations;
    while (my ($name, $c) = splice @table, 0, 2) {
        my ($word) = (split /\?/, $c->{page})[0] =~ m{([^/]+)/?$};
        push @configurations, {name => $name, word => $word, %$c};
    }
    $self->start(@configurations);
    for my $c (@configurations) {
        Test::More::subtest($c->{name} => sub {
            $self->compare($c, $_) for ($c->{visitor_only} ? () : []), ($c->{visitor} ? $c->{visitor} : ());
            $self->compare_warmed($c) if $self->url($c);
        });
    }
    $self->compare_prerendered(@configurations);
}

# Two nginx with the same configuration: "nginx", whose pages larderd regenerates, and "alone", which refreshes itself.
sub start {
    my ($self, @configurations) = @_;
    my $t = $self->{t};
    $self->{backends} = [map { $t->backend(name => $_) } qw(backend other)];
    my $kept = ['Cache-Control', 'max-age=0, stale-while-revalidate=3600'];
    for my $backend (@{$self->{backends}}) {
        $backend->set('/*' => {echo => 1, headers => [$kept, ['X-Render', '{n}'], ['X-Site', $backend->{name}]]});
        for my $site (grep { $_ } map { $_->{site} } @configurations) {
            $backend->set($_ => {%{$site->{$_}}, headers => [$kept, ['X-Render', '{n}'], @{$site->{$_}{headers} || []}]}) for keys %$site;
        }
    }
    my $all = join "\n", map { ($_->{http} || '', $_->{conf} || '') } @configurations;
    $t->uwsgi(env => {SITE_HEADERS => $json->encode({$kept->[0] => $kept->[1], 'Content-Type' => 'text/html'})}) if $all =~ /\@uwsgi/;
    $t->file($_, '') for map { @{$_->{files} || []} } @configurations;
    $t->redis;
    system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', "/CN=$host", '-days', 2,
        '-keyout', $t->dir . '/key.pem', '-out', $t->dir . '/cert.pem', '-batch') == 0 or die 'openssl';
    my $http = join "\n", map { $_->{http} || '' } @configurations;
    my $conf = join "\n", map { $_->{conf} || '' } @configurations;
    my $nginx = sub {
        my ($name, $database, $refresh) = @_;
        my $text = <<"CONF" =~ s/\@front/\@$name/gr =~ s/\@name\@/$name/gr;
            larder_zone 8m;
            larder_store main redis://\@redis\@/$database timeout=5s;
            larder_daemon redis://\@redis\@/0 timeout=5s;
            larder_refresh $refresh;
            ssl_certificate \@dir\@/cert.pem;
            ssl_certificate_key \@dir\@/key.pem;
            $http
            server {
                listen \@front\@;
                listen \@front_tls\@ ssl http2;
                server_name $host;
                root \@dir\@;
                larder main;
                $conf
            }
CONF
        return $t->nginx($text, name => $name);
    };
    $self->{nginx} = {nginx => $nginx->('nginx', 0, 'daemon'), alone => $nginx->('alone', 1, 'inline')};
    $self->{d} = Larder::Test::Daemon->start($t);
}

# ---- a page, and the site's requests for it

sub ask {
    my ($self, $front, $c, $visitor) = @_;
    my $listen = $c->{listen} ? "${front}_$c->{listen}" : $front;
    return $self->ask_by_h2("${front}_tls", $c, $visitor) if $c->{h2};
    my $answer = $self->{nginx}{$front}->get($c->{page}, headers => [Host => $host, @$visitor], server => $listen);
    if (!$answer->status) {
        my @log = split /\n/, $self->{nginx}{$front}->error_log;
        Test::More::diag("$front: $c->{page}: no answer: ", $answer->{error} // 'no error', map { "\n    $_" } @log[-(@log < 20 ? @log : 20) .. -1]);
    }
    return $self->page($answer->status, $answer->body, @{$answer->{headers}});
}

sub ask_by_h2 {
    my ($self, $listen, $c, $visitor) = @_;
    my $t = $self->{t};
    my @fields = map { ('-H', "$visitor->[2 * $_]: $visitor->[2 * $_ + 1]") } 0 .. @$visitor / 2 - 1;
    my ($code, $said) = $t->run_command(['curl', '-sk', '--http2', '-i', '-A', '', '-H', 'Accept:', '--connect-to', "$host:443:" . $t->address($listen), @fields, "https://$host$c->{page}"]);
    my ($head, $body) = split /\r\n\r\n/, $said, 2;
    my ($status, @fields_of_answer) = split /\r\n/, $head;
    return $self->page($status =~ /(\d{3})/, $body, map { [split /: /, $_, 2] } @fields_of_answer);
}

sub page {
    my ($self, $status, $body, @headers) = @_;
    my %one = map { lc $_->[0] => $_->[1] } @headers;
    my $render = $one{'x-render'} // ($body =~ /"render": (\d+)/ ? $1 : 0);
    $body = $self->without_names($body);
    my @kept = sort map { lc($_->[0]) . ": $_->[1]" } grep { !$of_answer{lc $_->[0]} } @headers;
    return {larder => $one{'x-larder'} // '', render => $render, body => $body, all => join("\n", $status, @kept, '', $body)};
}

# Removes what necessarily differs between two nginx, two renders or two connections.
sub without_names {
    my ($self, $text) = @_;
    my $t = $self->{t};
    $text =~ s/"render": \d+/"render": N/;
    $text =~ s/("REMOTE_(?:ADDR|PORT)"): "[^"]*"/$1/g;
    for my $listen (keys %{$t->{ports}}) {
        my ($port, $name) = ($t->port($listen), $listen =~ s/^(?:nginx|alone)(_|$)/front$1/r);
        $text =~ s/\b$port\b/$name/g;
    }
    return $text;
}

sub mark { my ($self) = @_; return [map { $_->stats->{total} } @{$self->{backends}}] }

# The different requests for the page since then, without those for the second visitor's page, which a purge may regenerate at any time.
sub asked_for_all_since {
    my ($self, $mark, $c) = @_;
    my %others = map { $_ => 1 } @{$c->{others} || []};
    delete @others{@{$c->{asked}}};
    return [grep { !$others{$_} } @{$self->asked_since($mark, $c)}];
}

# The different requests for the page since then, as texts.
sub asked_since {
    my ($self, $mark, $c) = @_;
    my %seen;
    my %may_differ = map { $_ => 1 } @{$c->{fields} || []};
    for my $i (0 .. $#$mark) {
        my $stats = $self->{backends}[$i]->stats;
        my $new   = $stats->{total} - $mark->[$i];
        for my $r ($new ? @{$stats->{log}}[-$new .. -1] : ()) {
            next if $r->{method} ne 'GET';
            next if index($json->encode($r), $c->{word}) < 0;
            my @fields = map { "$$_[0]: $$_[1]" } grep { !$may_differ{lc $$_[0]} } @{$r->{headers}};
            $seen{$self->without_names(join "\n", $self->{backends}[$i]{name}, "$r->{method} $r->{target}", @fields)} = 1;
        }
    }
    return [sort keys %seen];
}

sub url { my ($self, $c) = @_; return exists $c->{url} ? $c->{url} && $self->{t}->expand($c->{url} =~ s/\@front/\@nginx/r) : "http://$host$c->{page}" }

sub same {
    my ($got, $expected, $what) = @_;
    Test::More::ok($got eq $expected, $what) or Test::More::diag("as made by a miss:\n$expected\n\n$what:\n$got");
}

sub same_requests {
    my ($got, $expected, $what) = @_;
    same(join("\n\n", @$got), join("\n\n", @$expected), $what);
}

# ---- the ways to render a page

sub compare {
    my ($self, $c, $visitor) = @_;
    my $who = @$visitor ? "a visitor with $visitor->[0]" : 'a plain visitor';
    my ($t, $d) = @$self{qw(t d)};
    my (%made, %asked);
    for my $front (qw(alone nginx)) {
        $c->{before}->($self->{nginx}{$front}) if $c->{before};
        my $mark  = $self->mark;
        my $first = $self->ask($front, $c, $visitor);
        ($made{"$front: a miss"}, $asked{"$front: a miss"}) = ($first->{all}, $self->asked_since($mark, $c));
        Test::More::is($first->{larder}, 'MISS', "$front: $who misses");
        $mark = $self->mark;
        my $refused = $d->status->{jobs}{refused};
        my $next;
        $t->await(sub { $next = $self->ask($front, $c, $visitor); $next->{render} > $first->{render} }, 'a page made anew', 20);
        Test::More::like($next->{larder}, qr/^(?:STALE|HIT)/, '... then is served from cache');
        ($made{"$front: made anew"}, $asked{"$front: made anew"}) = ($next->{all}, $self->asked_since($mark, $c));
        next if $front eq 'alone';
        next if @$visitor && $c->{own};
        my $why = @$visitor ? $c->{alone} : $c->{plain};
        Test::More::is($d->status->{jobs}{refused} > $refused ? 1 : 0, $why ? 1 : 0, '... by ' . ($why ? 'nginx, as larderd can not' : 'larderd'))
            or Test::More::diag($self->said_of($c));
        Test::More::like($self->said_of($c), $why, '... which says why') if $why;
    }
    for my $way ('alone: made anew', 'nginx: a miss', 'nginx: made anew') {
        same($made{$way}, $made{'alone: a miss'}, "$way: the same page");
        same_requests($asked{$way}, $asked{'alone: a miss'}, "$way: the site was asked the same");
    }
    return push @{$c->{others}}, @{$asked{'alone: a miss'}} if @$visitor && !$c->{visitor_only};
    @$c{qw(made asked)} = ($made{'alone: a miss'}, $asked{'alone: a miss'});
}

# The lines of larderd's log about it.
sub said_of { my ($self, $c) = @_; return join "\n", grep { index($_, (split /\?/, $c->{page})[0]) >= 0 } split /\n/, $self->{d}->log }

sub is_idle { my ($self) = @_; my $queue = $self->{d}->status->{queue}; return !$queue->{queued} && !$queue->{running} }

sub compare_warmed {
    my ($self, $c) = @_;
    my ($t, $d) = @$self{qw(t d)};
    $t->await(sub { $self->is_idle }, 'an idle queue');
    $d->ask('purge', '--hard', '--url', $self->url($c));
    $t->await(sub { $self->is_idle }, 'an idle queue');
    my ($mark, $jobs) = ($self->mark, $d->status->{jobs}{stored});
    $d->ask('warm', $self->url($c));
    $d->await_jobs(stored => $jobs + 1);
    $t->await(sub { @{$self->asked_for_all_since($mark, $c)} >= @{$c->{asked}} && $self->is_idle }, 'the page');
    same_requests($self->asked_for_all_since($mark, $c), $c->{asked}, 'warm: the site was asked the same');
    my $warm = $self->ask('nginx', $c, $c->{visitor_only} ? $c->{visitor} : []);
    Test::More::like($warm->{larder}, qr/^(?:STALE|HIT)/, '... a visitor finds it');
    same($warm->{all}, $c->{made}, '... the same page');
}

sub compare_prerendered {
    my ($self, @configurations) = @_;
    my ($t, $d) = @$self{qw(t d)};
    my @with_sets  = grep { $self->url($_) && $self->url($_) !~ /\?/ && !$_->{no_file} } @configurations;
    my @with_files = grep { !$_->{closed} } @with_sets;
    $t->await(sub { $self->is_idle }, 'an idle queue');
    $d->server->stop;
    $d->server->{expected_death} = 1;
    my $sets = '';
    for my $c (@with_sets) {
        mkdir $t->dir . "/files-$c->{word}";
        $sets .= qq([[prerender]]\nname = "$c->{word}"\nevery = "1h"\ndirectory = "\@dir\@/files-$c->{word}"\nurls = [") . $self->url($c) . qq("]\n);
    }
    my $mark  = $self->mark;
    my $other = Larder::Test::Daemon->start($t, name => 'prerender', more => $sets);
    my $file  = sub { (split /\n/, `find @{[$t->dir]}/files-$_[0]{word} -name index.html`)[0] };
    my $ended = sub { my $log = $other->log; @with_sets == grep { $file->($_) || $log =~ /\Q$_->{page}\E.*refused/ } @with_sets };
    $t->await($ended, 'the end of all runs', 30);
    Test::More::ok(!$file->($_), "prerender: $_->{name}: no file of what nobody may see") for grep { $_->{closed} } @with_sets;
    for my $c (@with_files) {
        (my $body = $c->{made}) =~ s/^.*?\n\n//s;
        $body = $c->{file} if exists $c->{file};
        my $path = $file->($c);
        my $made = $path ? $self->without_names($t->read_file($path)) : 'no file: ' . join "\n", grep { /\Q$c->{page}\E/ } split /\n/, $other->log;
        same($made, $body, "prerender: $c->{name}: the file is the page");
        same_requests($self->asked_for_all_since($mark, $c), $c->{asked}, '... the site was asked the same');
    }
}

1;
