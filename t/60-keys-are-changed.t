# The shared key is changed at run time, first in nginx or first in larderd: nginx accepts larderd's calls all the time.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
my ($first, $second, $third) = map { "key-number-$_-of-this-test" } 1 .. 3;
my $conf = sub {
    my $keys = join ' ', map { qq("$_") } @_;
    return <<"CONF";
    larder_signing_key $keys;
    larder_zone 8m;
    larder_store main redis://\@redis\@ timeout=5s;
    larder_daemon redis://\@redis\@ timeout=5s;
    server { listen \@nginx\@; server_name example.com; larder main; location / { proxy_pass http://\@backend\@; } }
CONF
};
my $toml = sub {
    my ($key, @former) = @_;
    my $fallback = join ', ', map { qq("$_") } @former;
    return Larder::Test::Daemon->toml(more => qq([signing]\nkey = "$key"\nfallback_keys = [$fallback]\n));
};
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600']]});
my $nginx = $t->nginx($conf->($first));
my $d     = Larder::Test::Daemon->start($t, more => qq([signing]\nkey = "$first"\n));
my $nginx_has = sub { $t->_nginx_config('nginx', $conf->(@_)); ok $nginx->reload, 'nginx: ' . @_ . ' keys' };
my $larderd_has = sub {
    my $reloads = () = $d->log =~ /settings reloaded/g;
    $t->file('larderd.toml', $toml->(@_));
    $d->reload;
    ok $t->await(sub { (() = $d->log =~ /settings reloaded/g) > $reloads }, 'reload'), 'larderd: ' . @_ . ' keys';
};
my $page = 0;
my $works = sub {
    my ($what) = @_;
    my $path = '/' . ++$page;
    $d->ask('warm', $d->url($path));
    ok $t->await(sub { my $entry = $d->entry($path); $entry && $entry->{verdict} eq 'fresh' }, "$path stored"), "$what: a page is made";
};
$works->('one key');
$nginx_has->($second, $first);
$works->('nginx is changed first');
$larderd_has->($second);
$works->('... then larderd');
$nginx_has->($second);
$works->('... and the former one is gone');

$larderd_has->($third, $second);
$works->('larderd is changed first');
$nginx_has->($third);
$works->('... then nginx');
$larderd_has->($third);
$works->('... and the former one is gone');
unlike $nginx->error_log, qr/refused a render call/, 'no call was refused';
done_testing;
