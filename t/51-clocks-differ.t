# No purge is lost when clocks differ by a minute, between Redis and the others or between larderd and nginx.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->memcached;
$backend->set('/*' => {headers => [['Cache-Control', 'max-age=600, stale-while-revalidate=600']], body => '{n}'});

for my $off (['ahead', 60], ['behind', -60]) {
    my ($word, $seconds) = @$off;
    $t->redis(name => "redis$word", env => $t->clock($seconds));
    my ($one, $two) = map { $t->nginx(<<"CONF", name => $_) } "one$word", "two$word";
    larder_zone 8m;
    larder_store redis redis://\@redis$word\@ timeout=5s; larder_store memcached memcached://\@memcached\@ prefix=$word: timeout=5s;
    server {
        listen \@$_\@; server_name example.com;
        location /redis/     { larder redis;     proxy_pass http://\@backend\@; }
        location /memcached/ { larder memcached; proxy_pass http://\@backend\@; }
        location = /larder_purge { larder_purge; }
    }
CONF
    my @as = (headers => [Host => 'example.com']);
    my $shows = sub {
        my ($nginx, $page, $render, $what) = @_;
        ok $t->await(sub { $nginx->get($page, @as)->body >= $render }, "render $render"), $what;
    };
    for my $store (qw(redis memcached)) {
        my $is_redis = $store eq 'redis';
        my $d        = Larder::Test::Daemon->start(
            $t,
            name  => "$store$word" . 'd',
            store => $is_redis ? "url = \"redis://\@redis$word\@\"" : "url = \"memcached://\@memcached\@\"\nprefix = \"$word:\"",
            queue => "url = \"redis://\@redis$word\@/" . ($is_redis ? 1 : 2) . '"',
            server => $is_redis ? {} : {env => $t->clock($seconds)},
        );
        my $page = "/$store/$word";
        my $url  = "http://example.com$page";

        is $one->get($page, @as)->body, 1, ($is_redis ? "Redis's" : "larderd's") . " clock is a minute $word: a page";
        $t->await(sub { $two->get($page, @as)->larder eq 'HIT' });
        is $two->purge("url=$page", @as)->status, 200, '... is purged by one nginx';
        $shows->($one, $page, 2, '... the other makes it anew');
        $shows->($two, $page, 2, '... and so does it itself');
        $one->post($page, 'x', @as);
        $shows->($one, $page, 3, '... a write through one makes it anew');
        $two->purge("url=$page", @as);
        $shows->($one, $page, 4, '... and hides no purge by the other');
        $d->ask('purge', '--url', $url);
        $shows->($one, $page, 5, '... nor one by larderd');
        $d->ask('refresh', $url);
        $shows->($one, $page, 6, '... a page that larderd has made');
        $two->purge("url=$page", @as);
        $shows->($one, $page, 7, '... is purged by nginx');
        like $d->log, qr/the clock of \S+ is \d+ ms $word/, 'larderd warns of it' if $is_redis;
    }
}
done_testing;
