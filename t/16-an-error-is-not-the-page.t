# What nginx or error_page sends in place of a failed page is not the page: it is neither decoded, assembled nor stored, and the
# client gets it complete, as the operator configured it. A broken answer counts as such a failure if nothing of it was sent.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->file('www/maint.html', '<esi:include src="/x"/>maintenance' . 'x' x 200_000);
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid any 1m;
    larder_stale while=0 error=1h;
    proxy_read_timeout 2s;
    server {
        listen @nginx@;
        larder near;
        root @dir@/www;
        location /none/      { proxy_pass http://@backend@; }
        location /file/      { error_page 502 /maint.html; proxy_pass http://@backend@; }
        location /return/    { error_page 502 = @sorry; proxy_pass http://@backend@; }
        location /200/       { error_page 502 =200 /soon; proxy_pass http://@backend@; }
        location /proxied/   { error_page 502 = @fallback; proxy_pass http://@backend@; }
        location /recursive/ { recursive_error_pages on; error_page 502 = @fallback; proxy_pass http://@backend@; }
        location /recursive-return/ { recursive_error_pages on; error_page 502 =200 @sorry; proxy_pass http://@backend@; }
        location /moved/     { error_page 502 =302 http://elsewhere.example/; proxy_pass http://@backend@; }
        location /unbuffered/ { proxy_buffering off; error_page 502 = @sorry; proxy_pass http://@backend@; }
        location /esi/       { larder_esi on;
            location /esi/none/      { proxy_pass http://@backend@; }
            location /esi/file/      { error_page 502 /maint.html; proxy_pass http://@backend@; }
            location /esi/return/    { error_page 502 = @sorry; proxy_pass http://@backend@; }
            location /esi/proxied/   { error_page 502 = @fallback; proxy_pass http://@backend@; }
            location /esi/recursive/ { recursive_error_pages on; error_page 502 = @fallback; proxy_pass http://@backend@; }
            location /esi/unbuffered/ { proxy_buffering off; proxy_pass http://@backend@; }
        }
        location /auto/      { larder_esi auto; proxy_pass http://@backend@; }
        location = /maint.html { larder_esi on; }
        location = /soon     { return 200 "soon"; }
        location @sorry      { return 200 "sorry"; }
        location @fallback   { larder_esi on; rewrite ^ /fallback break; proxy_pass http://@backend@; }
        location /intercepted/ { proxy_intercept_errors on; error_page 404 =200 /soon; error_page 500 = @sorry; proxy_pass http://@backend@; }
    }
CONF
my @esi = ['Surrogate-Control', 'content="ESI/1.0"'];
my %broken = (
    'closed'    => {fault => 'close'},
    'garbage'   => {fault => 'garbage'},
    'no-gzip'   => {body => 'x' x 1000, headers => [['Content-Encoding', 'gzip'], @esi]},
    'cut-gzip'  => {size => 100_000, gzip => 'always', fault => 'truncate', headers => [@esi]},
    'cut-off'   => {body => 'x' x 100, fault => 'truncate', headers => [@esi]},
);
$backend->set('/fallback' => {body => 'fallback <esi:remove>not shown</esi:remove>'});
my %shown = (none => qr/502 Bad Gateway/, file => qr/^<esi:include.*maintenancex{60000}/, return => qr/^sorry$/, 200 => qr/^soon$/, proxied => qr/^fallback /, recursive => qr/^fallback /,
    'recursive-return' => qr/^sorry$/, moved => qr/302/, unbuffered => qr/^sorry$/, 'esi/unbuffered' => qr/502 Bad Gateway/, auto => qr/502 Bad Gateway/);

sub breaks {
    my ($place, $kind, $what) = @_;
    (my $shown = $place) =~ s{^esi/(?!unbuffered)}{};
    my $path = "/$place/$kind";
    $backend->set($path => $broken{$kind});
    my $answer = $t->get($path);
    ok $answer->complete, "$path: $kind: a whole answer" or diag $answer->error;
    like $answer->body, $shown{$shown}, '... as the operator configured it';
    unlike $answer->header('Cache-Status') // '', qr/stored/, '... of which nothing says that it was kept';
    $backend->set($path => {body => 'the page'});
    is $t->get($path)->body, 'the page', '... nor stored: the next visitor gets the page';
    is $t->get($path)->larder, 'HIT', '... which is kept';
}
for my $place (qw(none file return 200 proxied recursive recursive-return moved unbuffered)) { breaks($place, 'closed') }
for my $place (qw(none return)) { breaks($place, $_) for qw(garbage no-gzip) }
for my $place (qw(esi/none esi/file esi/return esi/proxied esi/recursive esi/unbuffered auto)) { breaks($place, $_) for sort grep { $_ !~ /closed|garbage/ } keys %broken }
for my $kind (404, 500) {
    $backend->set("/intercepted/$kind" => {status => $kind});
    like $t->get("/intercepted/$kind")->body, qr/^(?:soon|sorry)$/, "an answer of $kind that is intercepted";
    $backend->set("/intercepted/$kind" => {body => 'the page'});
    is $t->get("/intercepted/$kind")->body, 'the page', '... is not the page';
}

# If an entry is usable on error, it is the answer.
for my $place (qw(none file 200 recursive recursive-return esi/none esi/return esi/recursive auto)) {
    for my $kind (sort keys %broken) {
        next if $place !~ /esi|auto/ && $kind =~ /cut|chunk/;    # the client has received a part already
        my $path = "/$place/stale-$kind";
        $backend->set($path => {body => 'the page', headers => [['Cache-Control', 'max-age=0, stale-if-error=600'], $place =~ /esi|auto/ ? @esi : ()]});
        $t->get($path);
        $backend->set($path => $broken{$kind});
        my $answer = $t->get($path);
        is $answer->status . ' ' . $answer->body . ' ' . $answer->larder, '200 the page ERROR-STALE', "$path: the page that is at hand";
    }
}

done_testing;
