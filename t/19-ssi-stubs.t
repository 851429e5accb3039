# The text that SSI puts in place of a failed subrequest is no answer of the site: it is neither judged nor requested again. An
# entry that is usable on error is used first.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    server {
        listen @nginx@;
        ssi on;
        location / { larder near; proxy_pass http://@backend@; }
        location /plain/ { proxy_pass http://@backend@; }
        location /dead/ { larder near; proxy_pass http://@nobody@; }
        location /full/ { larder near; larder_bypass 1; larder_esi on; proxy_pass http://@nobody@; }
    }
CONF
my $block = '<!--# set var="v" value="1" --><!--# block name="b" -->[stub<!--# if expr="$v = 1" --> yes<!--# else --> no<!--# endif -->]<!--# endblock -->';
my $page  = sub { my ($path, $part, @more) = @_; $backend->set($path => {body => qq{$block<!--# include virtual="$part" stub="b" -->.}, @more}) };
my $body  = sub { my ($path, @headers) = @_; $t->get($path, headers => [@headers])->body };

# The visitor sent more than the key holds: such an answer might be requested again in full.
my @visitor = (Cookie => 'a=b', 'X-Other' => '1', 'User-Agent' => 'browser', 'Accept-Encoding' => 'gzip');
my $n = 0;
for my $fault (qw(close die)) {
    for my $place ('/plain', '/kept') {
        my ($path, $part) = ("$place/" . $n++, "/part/$n");
        $backend->set($part => {fault => $fault});
        $page->($path, $part, $place eq '/kept' ? (headers => [['Cache-Control', 'max-age=60']]) : ());
        is $body->($path, @visitor), '[stub yes].', "$path, $fault: the block, with what it says if" for 1 .. 3;
    }
}
for my $part ('/dead/part', '/full/part') {
    $page->("/plain$part", $part);
    is $body->("/plain$part", @visitor), '[stub yes].', "$part: nobody answers" for 1 .. 3;
}

# An entry is used before the stub.
$backend->set('/stale' => {body => 'old', headers => [['Cache-Control', 'max-age=0, stale-if-error=600'], ['ETag', '"a"']]});
$page->('/plain/stale', '/stale');
is $body->('/plain/stale', @visitor), 'old.', 'a part of a page';
$backend->set('/stale' => {fault => 'close'});
is $body->('/plain/stale', @visitor), 'old.', '... is served stale when the site fails' for 1 .. 2;

# Without a stub, nginx's own error page is inserted.
$backend->set('/plain/bare' => {body => '(<!--# include virtual="/dead/bare" -->)'});
like $body->('/plain/bare', @visitor), qr/^\(.*502 Bad Gateway.*\)$/s, 'without a stub: an error' for 1 .. 2;
done_testing;
