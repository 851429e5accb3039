# larderd makes nginx render pages, through the same location, upstream, path, header fields and rules as for visitors. No [[backend]]
# is needed. Pages whose configuration leads requests without a visitor elsewhere are refreshed by nginx itself.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $other   = $t->backend(name => 'other');
my $redis   = $t->redis;
my $common = <<'CONF';
        larder main;
        larder_esi auto;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Path $uri;
        location / { proxy_pass http://@backend@; }
        location /shop/ { proxy_pass http://@backend@/; }
        location /wiki/ { rewrite ^/wiki/(.*)$ /index.php?title=$1 break; proxy_pass http://@backend@; }
        location /app/ { try_files $uri @app; }
        location @app { proxy_pass http://@backend@; }
        location /other/ { proxy_pass http://@other@; }
        location /errors/ { error_page 404 = /fallback; proxy_intercept_errors on; proxy_pass http://@backend@; }
        location /fallback { proxy_pass http://@backend@; }
        location /lang/ { larder_header Accept-Language; larder_cookie theme value; proxy_pass http://@backend@; }
        location /phone/ { if ($http_user_agent ~ iPhone) { rewrite ^/phone(.*)$ /mobile$1 break; } proxy_pass http://@backend@; }
        location /short/ { larder_valid 200 2m; proxy_pass http://@backend@; }
        location = /larder_status { larder_status; }
        location = /larder_purge { larder_purge; }
CONF
$t->nginx(<<"CONF");
    larder_zone 8m;
    larder_store main redis://\@redis\@ timeout=5s;
    larder_daemon redis://\@redis\@ timeout=5s;
    server { listen \@other_site\@; server_name example.com; location / { larder main; return 404; } }
    server {
        listen \@nginx\@;
        server_name ~^(www\\.)?example\\.com\$;
$common
    }
CONF
my $d  = Larder::Test::Daemon->start($t);
my @as = (Host => 'www.example.com');
my $expired = [['Cache-Control', 'max-age=0, stale-while-revalidate=3600']];
my %pages = (
    '/plain'      => '/plain',
    '/shop/item'  => '/item',
    '/wiki/A%2FB' => '/index.php?title=A%2FB',
    '/app/page?a' => '/app/page?a',
    '/lang/page'  => '/lang/page',
);
$backend->set('/*' => {headers => $expired, body => '{n} {target} {header:X-Path} {header:X-Forwarded-Proto} {header:Accept-Language} {cookie:theme}'});
my @visitor = (@as, 'Accept-Language' => 'de', 'User-Agent' => 'Mozilla', Cookie => 'theme=dark; session=s3cret');
my $seen_by_site = sub { my ($target) = @_; [map { my $r = $_; join "\n", map { "$$_[0]: $$_[1]" } @{$r->{headers}} } grep { $_->{target} eq $target } $backend->log] };
for my $path (sort keys %pages) {
    my $target = $pages{$path};
    my $first  = $t->get($path, headers => \@visitor)->body;
    my $jobs   = $d->status->{jobs}{stored};
    is $t->get($path, headers => \@visitor)->body, $first, "$path is served stale";
    $d->await_jobs(stored => $jobs + 1);
    my $renders = $seen_by_site->($target);
    is $renders->[1], $renders->[0], '... and the site saw the same request from larderd by nginx as for the visitor' or diag explain $renders;
    (my $second = $first) =~ s/^1/2/;
    ok $t->await(sub { $t->get($path, headers => \@visitor)->body =~ /^[2-9]/ }), '... whose page is next';
    like $t->get($path, headers => \@visitor)->body, qr/^\d+\Q${\substr($first, 1)}\E$/, '... and the same';
}
is_deeply [grep { $_->{target} eq '/shop/item' } $backend->log], [], 'no page is asked for where only its visitors\' URL is';

$other->set('/*' => {headers => $expired, body => 'other {n}'});
$t->get('/other/page', headers => \@visitor);
ok $t->await(sub { $t->get('/other/page', headers => \@visitor)->body ne 'other 1' }, 'a page'), 'another upstream of the same host';

$backend->set('/mobile/page' => {headers => $expired, body => 'mobile {n}'});
my @phone = (@as, 'User-Agent' => 'iPhone');
is $t->get('/phone/page', headers => \@phone)->body, 'mobile 1', 'a page for phones, by a header that no directive names';
ok $t->await(sub { $t->get('/phone/page', headers => \@phone)->body eq 'mobile 2' }, 'a page'), '... is made anew by nginx, which knows its visitor';
is $backend->count('/phone/page'), 0, '... and nobody has asked for the page of others';
like $d->log, qr/refused.*led to "\/phone\/page".*larder_header user-agent/, '... as larderd says';

$backend->set('/broken' => {headers => $expired, body => 'good'});
$t->get('/broken', headers => \@as);
$backend->set('/broken' => {status => 503, headers => [['Retry-After', '1']], body => 'bad'});
$t->get('/broken', headers => \@as);
$d->await_jobs(failed => 1);
is $t->get('/broken', headers => \@as)->body, 'good', 'a failure replaces nothing';
$backend->set('/broken' => {headers => $expired, body => 'well'});
ok $t->await(sub { $t->get('/broken', headers => \@as)->body eq 'well' }, 'the page', 20), '... and is tried again';

$backend->set('/short/warm' => {body => 'warm'});
my ($code) = $d->ctl('warm', 'http://www.example.com/short/warm');
is $code, 0, 'warm';
ok $t->await(sub { $d->entry_of("http://www.example.com/short/warm")->{stored} }, 'an entry'), '... fills';
is $t->get('/short/warm', headers => \@as)->larder, 'HIT', '... what a visitor finds';
cmp_ok $d->entry_of('http://www.example.com/short/warm')->{fresh_for_ms} // 0, ">", 60000, '... by the lifetime of its location';
$backend->set('/gone' => {headers => $expired, body => 'here'});
$t->get('/gone', headers => \@as);
$backend->set('/gone' => {headers => [['Cache-Control', 'no-store']], body => 'private now'});
ok $t->await(sub { $t->get('/gone', headers => \@as)->body eq 'private now' }, 'the site\'s word'), 'a page that may no longer be kept is not';

# Only larderd may make render calls.
my $forged = $t->post('/.larder/render', 'x' x 100, headers => [@as, 'Larder-Render' => 'a:b:c']);
is $forged->status, 403, 'an unsigned call is refused';
is $t->get('/.larder/render', headers => \@as)->status, 200, '... and a page of that name is the site\'s';
done_testing;
