# With [[database]], each render gets a signed route to a server, which never lacks the write that caused the render.
use Larder::Test;
use Larder::Test::Daemon;
use Larder::Test::Replication;
use Digest::SHA qw(sha256 hmac_sha256_base64);

my $t       = Larder::Test->new;
my $pg      = Larder::Test::Replication->start(watch => 0, replicas => 1);
my $backend = $t->backend;
my $redis   = $t->redis;
my $key     = 'a-key-that-the-site-knows';
my $d = Larder::Test::Daemon->start($t, more => <<"TOML");
[signing]
key = "$key"
[[database]]
name = "site"
primary = { alias = "primary", dsn = '''$pg->{dsn}{primary}''' }
probe_interval = "50ms"
probe_timeout = "2s"
primary_jobs = 0
[[database.replica]]
alias = "r1"
dsn = '''$pg->{dsn}{r1}'''
TOML
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600'], ['Surrogate-Key', 'all']]});
my $node = sub { my ($alias) = @_; (grep { $_->{alias} eq $alias } map { @{$_->{nodes}} } @{$d->ask('replicas')->{databases}})[0] };
ok $t->await(sub { $node->('r1')->{in_rotation} }, 'r1 in rotation', 30), 'larderctl replicas shows the replica in rotation';
is $d->request(path => '/replica?node=r1')->status, 200, '... and /replica says so to a balancer';

# Checks the signature of Larder-Route in the newest request for the path, and returns its value.
my $route = sub {
    my ($path) = @_;
    my ($request) = grep { ($_->{target} // $_->{path}) eq $path } reverse $backend->log;
    my ($signed)  = map { $_->[1] } grep { $_->[0] eq 'Larder-Route' } @{$request->{headers}};
    my ($text, $signature) = ($signed // '') =~ /^(.*):([\w-]{43})$/ or return "unsigned: " . ($signed // 'none');
    my $expected = hmac_sha256_base64($text, sha256('larder.routesigner' . $key)) =~ tr{+/}{-_}r;
    return $signature eq $expected ? $text =~ s/:\w+$//r : 'forged';
};
$d->ask('warm', $d->url('/page'));
ok $d->await_jobs(stored => 1), 'a page is rendered';
like $route->('/page'), qr{^alias=r1;fence=;fragment=/page;deadline=\d{13}$}, '... by a replica, named in a signed header';

$pg->rig('pause', 'r1');
my $position = $pg->write =~ s{^[^/]+}{site}r;
$d->ask('purge', '--tag', 'all', '--position', $position);
ok $d->await_jobs(postponed => 1), 'a purge with a position that no replica has replayed waits';
is $backend->count('/page'), 1, '... and the page is not rendered from an older state';
$pg->rig('resume', 'r1');
ok $t->await(sub { $backend->count('/page') == 2 }, 'render', 30), '... until the replica has replayed it';
like $route->('/page'), qr{^alias=r1;fence=\Q$position\E;fragment=/page;}, '... which the header says, too';
ok $d->await_jobs(stored => 2), '... and the page is stored';
$pg->finish;
done_testing;
