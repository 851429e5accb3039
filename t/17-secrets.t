# What identifies a visitor stays with their own request. It is not in the stores, the queue, the near cache's memory or any
# log, and nobody else gets it; and no answer contains a key. This holds however the site answers, and whatever is around nginx.
use Larder::Test;
use Larder::Test::Daemon;

my $t         = Larder::Test->new;
my $backend   = $t->backend;
my $redis     = $t->redis;
my $memcached = $t->memcached;
my $nginx = $t->nginx(<<'CONF', workers => 2);
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_store second memcached://@memcached@ timeout=5s;
    larder_daemon redis://@redis@ timeout=5s;
    log_format keys '$larder_key $larder_status $larder_group $uri';
    server {
        listen @nginx@;
        server_name example.com;
        access_log @dir@/access.log keys;
        larder main;
        larder_cookie sid presence;
        larder_esi auto;
        larder_csrf on;
        proxy_set_header Host $host;
        location / { proxy_pass http://@backend@; }
        location /second/   { larder second; proxy_pass http://@backend@; }
        location /private/  { larder_cookie sid private; proxy_pass http://@backend@; }
        location /stored/   { larder_cookie sid private store; proxy_pass http://@backend@; }
        location /bucket/   { larder_cookie sid bucket=4; proxy_pass http://@backend@; }
        location /bypass/   { larder_cookie sid bypass; proxy_pass http://@backend@; }
        location /vary/     { larder_vary key; proxy_pass http://@backend@; }
        location /grouped/  { larder_group /group cookie=sid valid=1s; proxy_pass http://@backend@; }
        location /inline/   { larder_refresh inline; proxy_pass http://@backend@; }
        location = /group   { internal; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge token=0123456789abcdef; }
        location = /larder_status { larder_status; }
    }
CONF
my $d = Larder::Test::Daemon->start($t, more => qq([signing]\nkey = "0123456789abcdef0123456789abcdef"\n));
my $commands = $t->dir . '/redis-commands';    # everything that was ever sent to Redis
defined(my $monitor = fork) or die "fork: $!";
if (!$monitor) {
    open STDOUT, '>', $commands;
    exec 'setpriv', '--pdeathsig', 'TERM', '--', 'redis-cli', '-p', $t->port('redis'), 'MONITOR' or POSIX::_exit(127);
}
$t->await(sub { $redis->cli('PING'); $t->read_file($commands) =~ /PING/i }, 'MONITOR');

my @secrets = qw(S3cretSession S3cretBearer S3cretProxy S3cretCookie2 S3cretToken);
my @victim  = (Host => 'example.com', Cookie => 'sid=S3cretSession; csrftoken=' . 'S3cretToken' x 2 . '0123456789', Cookie2 => 'S3cretCookie2',
    'Proxy-Authorization' => 'Basic S3cretProxy');
my @nobody  = (Host => 'example.com');
my $aging   = ['Cache-Control', 'max-age=0, stale-while-revalidate=600'];
my %site = (
    'page'     => {headers => [['Cache-Control', 'max-age=60']]},
    'aging'    => {headers => [$aging]},
    'esi'      => {headers => [$aging, ['Surrogate-Control', 'content="ESI/1.0"']], body => 'a<esi:include src="/part"/>b$csrf_token()'},
    'personal' => {headers => [['Cache-Control', 'private']], body => 'for {cookie:sid}'},
    'login'    => {headers => [['Cache-Control', 'max-age=60'], ['Set-Cookie', 'sid={cookie:sid}; HttpOnly']], body => 'for {cookie:sid}'},
    'vary'     => {headers => [['Cache-Control', 'max-age=60'], ['Vary', 'Cookie, Authorization, X-Other']]},
    'error'    => {status => 500, body => 'for {cookie:sid}'},
    'broken'   => {fault => 'truncate', size => 1000},
    'gone'     => {fault => 'close'},
);
$backend->set('/group' => {body => 'readers'}, map { my $page = $_; ("*/$page" => $site{$page}) } keys %site);
my @places = ('', map { "/$_" } qw(second private stored bucket bypass vary grouped inline));
$backend->set(map { my $place = $_; map { ("$place/$_" => $site{$_}) } keys %site } @places);

my (%leaked, %keys, $served, @set_cookies);
for my $round (1 .. 3) {
    for my $place (@places) {
        for my $page (sort keys %site) {
            $t->get("$place/$page", headers => [@victim]) for 1 .. 2;
            $t->get("$place/$page", headers => [@victim, Authorization => 'Bearer S3cretBearer']);
            $t->post("$place/$page", 'x=1', headers => [@victim]) if $round == 2;
            my $other = $t->get("$place/$page", headers => [@nobody]);
            $served++ if $other->status == 200;
            $leaked{"$place/$page"} = $other->body if join('', $other->body, map { @$_ } @{$other->{headers}}) =~ /S3cret/;
            push @set_cookies, "$place/$page" if grep { !/^(?:csrftoken=|sid=; )/ } $other->header('Set-Cookie');
        }
    }
    $nginx->purge('tag=x&url=/page', headers => [Host => 'example.com', Authorization => "Bearer $_"]) for 'S3cretBearer', '0123456789abcdef';
    $backend->mode($round == 1 ? 'fail' : 'ok');
    $t->await(sub { $d->status->{queue}{running} == 0 });
}
is_deeply \%leaked, {}, 'whoever asks next gets nothing of it';
is_deeply \@set_cookies, [], '... and no cookie but their own';
cmp_ok $served, '>', 100, '... but the pages';
ok $t->await(sub { $d->status->{jobs}{stored} > 0 }), 'larderd renders, too';

# Everything that is stored or logged anywhere.
my $dump = sub {
    my ($where, $mark, $bytes) = @_;
    ok index($bytes, $mark) >= 0, "$where: what is ours is found there" or diag length $bytes;
    is_deeply [grep { index($bytes, $_) >= 0 } @secrets], [], '... and no secret';
};
$t->await(sub { $t->read_file($commands) =~ /\{queue\}jobs/ });
$dump->('commands to Redis', '/inline/aging', $t->read_file($commands));
my @names = $memcached->command('lru_crawler metadump all') =~ /^key=(\S+)/mg;
$dump->('entries of memcached', '/second/page', join '', map { $memcached->command('get ' . ($_ =~ s/%([0-9A-F]{2})/chr hex $1/gier)) } @names);
$dump->("log $$_[0]", $$_[1], $t->read_file($t->dir . "/$$_[0]")) for ['nginx/error.log', '/gone'], ['access.log', '/aging'], ['larderd.out', '/aging'];
$dump->('the near cache', '/private/', zone(($nginx->workers)[0]));
$dump->('status', 'larder_events_total', $t->get('/larder_status', headers => \@nobody)->body);
$dump->('larderctl', '/aging', join '', map { ($d->ctl(@$_))[1] } ['status'], ['explain', $d->url('/page')], ['explain', $d->url('/aging')]);

# Keys are only for logs.
$keys{$_}++ for $t->read_file($t->dir . '/access.log') =~ /^([\w-]{22}) /mg;
cmp_ok scalar(keys %keys), '>', 30, 'the access log tells keys';
my @told;
for my $request (map({ {path => "$places[$_ % @places]/" . (sort keys %site)[$_ / @places]} } 0 .. @places * keys(%site) - 1), {path => '/page', method => 'HEAD'}, {path => '/larder_purge?tag=x', method => 'POST'}, {path => '/larder_status'}) {
    my $answer = $t->request(%$request, headers => [@nobody]);
    my $text = join "\n", $answer->body, map { "$$_[0]: $$_[1]" } @{$answer->{headers}};
    push @told, $request->{path} if grep { index($text, $_) >= 0 } keys %keys;
}
is_deeply \@told, [], '... and no answer does';

kill TERM => $monitor;
waitpid $monitor, 0;
done_testing;

# The workers' shared memory: the near cache, with freed blocks.
sub zone {
    no warnings 'portable';
    my ($pid) = @_;
    my $bytes = '';
    open my $memory, '<:raw', "/proc/$pid/mem" or return '';
    for my $map ($t->read_file("/proc/$pid/maps") =~ /^(\w+-\w+) rw-s /mg) {
        my ($begin, $end) = map { hex } split /-/, $map;
        sysseek $memory, $begin, 0;
        sysread $memory, $bytes, $end - $begin, length $bytes;
    }
    return $bytes;
}
