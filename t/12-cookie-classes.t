# The classes of cookies: what the site sees of each, who shares a page, and where personal pages are kept.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder main;
        proxy_set_header Host $http_host;
        location / {
            larder_cookie lang value allow=de,fr default=en;
            larder_cookie size value allow=~^[0-9]+$;
            larder_cookie ab bucket=2;
            larder_cookie _*_session presence;
            proxy_pass http://@backend@;
        }
        location /mine { larder_cookie me private; larder_stale while=1h; proxy_pass http://@backend@; }
        location /wp/ { larder_cookie_preset wordpress; proxy_pass http://@backend@; }
        location = /larder_purge { larder_purge; }
    }
CONF
$backend->set('/*' => {body => '{header:Cookie}'}, '/mine*' => {body => '{header:Cookie} render {n}', headers => [['Cache-Control', 'private, max-age=60']]});
my $ask = sub { my ($path, $cookie) = @_; $t->get($path, headers => $cookie ? [Cookie => $cookie] : []) };
my $seen = sub { my $r = $ask->(@_); [$r->body, $r->larder] };

is_deeply $seen->('/', 'lang=de; size=40; x=y'), ['lang=de; size=40', 'MISS'], 'values that are allowed';
is_deeply $seen->('/', 'size="40";lang=de;z=1'), ['lang=de; size=40', 'HIT'], '... however they are written';
is_deeply $seen->('/', 'lang=xx; size=4x'), ['lang=en', 'MISS'], 'others are the default, or absent';
is_deeply $seen->('/', ''), ['lang=en', 'HIT'], '... as without a cookie';
is_deeply $seen->('/', '_shop_session=k3j'), ['_shop_session=k3j', 'PASS'], 'a pattern, by the name it covers: of a session, the request as it came';

my %groups = map { ($ask->('/ab', "ab=visitor-$_")->body => 1) } 1 .. 20;
is_deeply [sort keys %groups], ['ab=0; lang=en', 'ab=1; lang=en'], 'buckets: as many pages as groups';

is_deeply $seen->('/mine', 'me=ann; x=1'), ['me=ann render 1', 'MISS'], 'a private page: the site sees the cookie itself';
is_deeply $seen->('/mine', 'y=2; me=ann'), ['me=ann render 1', 'HIT'], '... and the page is kept for this person';
is_deeply $seen->('/mine', 'me=bob'), ['me=bob render 2', 'MISS'], '... and nobody else';
is $ask->('/mine')->body, ' render 3', '... nor to a visitor without the cookie';
my $dump = join "\n", map { $redis->cli('GET', $_) } split /\n/, $redis->cli('KEYS', '*e:*');
like $dump, qr{/ab}, 'other pages are in the store';
unlike $dump, qr{/mine|ann|bob}, '... and nothing of these';
$t->purge('url=http://' . $t->{nginx}->address . '/mine');
is_deeply $seen->('/mine', 'me=ann'), ['me=ann render 1', 'STALE'], 'a purge reaches it';
ok $t->await(sub { $ask->('/mine', 'me=ann')->larder eq 'HIT' }), '... nginx makes it anew';
like $ask->('/mine', 'me=ann')->body, qr/^me=ann render [4-9]/, '... with the cookie of its person';

is_deeply $seen->('/wp/', 'wordpress_logged_in_5f3a=bob; wp-settings-1=x'), ['wordpress_logged_in_5f3a=bob; wp-settings-1=x', 'PASS'], 'a preset';
is_deeply [map { $seen->('/wp/', 'wp-settings-1=x') } 1 .. 2], [['', 'MISS'], ['', 'HIT']], '... of which this cookie is no session';
is $ask->('/wp/', 'wp-postpass_5f3a=secret')->larder, 'BYPASS', '... and a cookie that is not for the cache';
like $ask->('/wp/', 'wp-postpass_5f3a=secret')->header('Cache-Status'), qr/detail=bypass-cookie/, '... which says so';

done_testing;
