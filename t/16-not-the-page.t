# An answer that replaces a page is not stored as the page; and a stored answer is given unchanged, only where it was stored
# for.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
my $root    = $t->dir . '/www';
mkdir $root;
chmod 0755, $t->dir, $root;
open my $file, '>', "$root/fallback.html" or die $!;
print $file 'prerendered';
close $file;
my $http = <<'CONF';
    larder_zone 8m;
    larder_store main redis://@redis@ timeout=5s;
    server {
        listen @nginx@;
        root ROOT;
        larder WHERE;
        larder_valid any 10m;
        location / { proxy_pass http://@backend@; }
        location /shown/ { proxy_intercept_errors on; error_page 503 = @prerendered; proxy_pass http://@backend@; }
        location @prerendered { larder off; try_files /fallback.html =503; }
        location /override/ { larder_valid 10m override; proxy_pass http://@backend@;
            location /override/own/ { larder_valid 10m; proxy_pass http://@backend@; } }
        location = /larder_purge { larder_purge; }
    }
CONF
$http =~ s/ROOT/$root/;
my $config = sub { (my $c = $http) =~ s/WHERE/$_[0]/; $c };
my $nginx = $t->nginx($config->('near'));

$backend->mode('fail');
is $t->get('/shown/page')->body, 'prerendered', 'error_page shows something else';
$backend->mode('ok');
is $t->get('/shown/page')->body, "/shown/page render 2\n", '... which is not kept as the page';
$backend->mode('fail');
is $t->get('/shown/page')->body, "/shown/page render 2\n", '... while the page is';
$backend->mode('ok');

$backend->set('/moved' => {status => 302, headers => [['Location', '/elsewhere?x=1']]});
is_deeply [map { $t->get('/moved')->header('Location') } 1 .. 2], [('/elsewhere?x=1') x 2], 'a relative Location stays relative';

$backend->set("/override/$_" => {headers => [['Cache-Control', 'max-age=0']]}) for 'page', 'own/page';
$t->get("/override/$_") for 'page', 'own/page';
is $t->get('/override/page')->larder, 'HIT', 'override overrides';
isnt $t->get('/override/own/page')->larder, 'HIT', '... only where `override` was configured, not with another larder_valid';

$t->get('/page');
is $t->get('/page')->larder, 'HIT', 'a page of the near cache alone';
$nginx->reload($config->('main'));
ok $t->await(sub { $t->get('/page')->larder eq 'MISS' || $backend->count('/page') == 2 }), 'after a reload with a store it is the store\'s page';
is $t->get('/page')->body, "/page render 2\n", '... fetched for it';

done_testing;
