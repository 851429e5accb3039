# A named location or the block of an `if` is a place of its own, though the URI is the same: a page stored in one place is not
# given to visitors whom the configuration leads to another.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $other   = $t->backend(name => 'other');
mkdir $t->dir . '/www';
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1h;
    larder_valid any 1h;
    larder_refresh inline;
    server {
        listen @nginx@;
        larder near;
        root @dir@/www;
        location /members/ { auth_request /may; error_page 401 403 = @login; proxy_pass http://@backend@; }
        location @login { proxy_pass http://@other@; }
        location = /may { internal; larder off; if ($http_x_member) { return 204; } return 403; }
        location /denied/ { allow 192.0.2.1; deny all; error_page 403 = @login; proxy_pass http://@backend@; }
        location /tried/ { try_files $uri @one; }
        location /tried/two/ { error_page 418 = @two; if ($http_x_two) { return 418; } try_files $uri @one; }
        location @one { proxy_pass http://@backend@; }
        location @two { proxy_pass http://@other@; }
        location @a/b?c#d { proxy_pass http://@other@; }
        location /odd/ { try_files $uri @a/b?c#d; }
        location /if/ {
            if ($http_x_beta) { proxy_pass http://@other@; }
            if ($http_x_gamma) { set $unused 1; }
            proxy_pass http://@backend@;
        }
        location = /larder_purge { larder_purge; }
    }
CONF
$backend->set('/*' => {body => 'site {path}'});
$other->set('/*' => {body => 'other {path}', headers => [['Cache-Control', 'max-age=60']]});
sub ask { my ($path, @headers) = @_; my $r = $t->get($path, headers => \@headers); return $r->larder . ' ' . $r->body }

is ask('/members/page', 'X-Member' => 1), 'MISS site /members/page', 'who may see a page fills it';
is ask('/members/page'), 'MISS other /members/page', '... who may not is led to the log-in page of that URL';
is ask('/members/page', 'X-Member' => 1), 'HIT site /members/page', '... each has their own';
is ask('/members/other'), 'MISS other /members/other', 'and the other way round';
is ask('/members/other', 'X-Member' => 1), 'MISS site /members/other', '... who may is not given the log-in page';
is ask('/denied/page'), 'MISS other /denied/page', 'an access rule leads to a named location';

is ask('/tried/page'), 'MISS site /tried/page', 'try_files with a named location';
is ask('/tried/page'), 'HIT site /tried/page', '... is kept';
is ask('/tried/two/page', 'X-Two' => 1), 'MISS other /tried/two/page', 'of two named locations with one URI';
is ask('/tried/two/page'), 'MISS site /tried/two/page', '... each has its page';
is ask('/odd/page'), 'MISS other /odd/page', 'a name of odd characters';
is ask('/odd/page'), 'HIT other /odd/page', '... is kept';

is ask('/if/page', 'X-Beta' => 1), 'MISS other /if/page', 'the block of an if leads to another upstream';
is ask('/if/page'), 'MISS site /if/page', '... and nobody else gets its page';
is $t->get('/if/page', headers => ['X-Gamma' => 1])->larder, 'MISS', '... a second block is a place of its own';
is ask('/if/page', 'X-Beta' => 1), 'HIT other /if/page', '... all are kept';
is ask('/if/page'), 'HIT site /if/page', '...';

$t->request(path => "/larder_purge?mode=hard&url=/$_/page", method => 'POST', body => '') for qw(members if);
is ask("/$_/page", 'X-Member' => 1, 'X-Beta' => 1) =~ s/ .*//r, 'MISS', "a purge by URL is of the page at all places: $_" for qw(members if);
is ask("/$_/page") =~ s/ .*//r, 'MISS', '...' for qw(members if);

# Refreshed in the place of its visitors.
$_->set('/*' => {body => '{n}', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=3600']]}) for $backend, $other;
for my $case (['/members/a'], ['/members/a', 'X-Member' => 1], ['/tried/a'], ['/if/a', 'X-Beta' => 1], ['/if/a']) {
    my ($path, @headers) = @$case;
    my $first = $t->get($path, headers => \@headers)->body;
    ok $t->await(sub { $t->get($path, headers => \@headers)->body > $first }), "@$case: made anew by nginx";
}
done_testing;
