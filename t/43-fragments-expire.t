# Fragments expire by themselves: the page shows the stale one at once, each is refreshed once, and the rest is left alone.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $nginx   = $t->nginx(<<'CONF');
    larder_zone 8m;
    server {
        listen @nginx@;
        larder_esi auto;
        location / { larder near; proxy_pass http://@backend@; }
    }
CONF
my %esi = (headers => [['Surrogate-Control', 'max-age=600, content="ESI/1.0"']]);
my $includes = join '', map { "<esi:include src=\"/f$_\"/>" } 1 .. 10;
$backend->set('/page' => {%esi, body => "<p>$includes</p>"});
$backend->set("/f$_" => {headers => [['Cache-Control', 'max-age=1']], body => '{n}'}) for 1 .. 10;

is $t->get('/page')->body, '<p>' . '1' x 10 . '</p>', 'a page of ten fragments';
ok $t->await(sub { $t->get('/f1')->larder eq 'STALE' }), 'they expire';
ok $t->await(sub { $t->get('/f1')->larder eq 'HIT' }), 'one that was asked for is made anew';
$backend->reset;
$backend->set("/f$_" => {headers => [['Cache-Control', 'max-age=600']], body => 'new', hold => 1}) for 1 .. 10;
ok $t->await(sub { $t->get('/page')->body =~ /^<p>[12]{10}<\/p>$/ && $backend->stats->{active} == 4 }),
    'the page is served at once with what there is, while few are fetched at a time';
my @visitors = $t->many(50, {path => '/page'});
is scalar(grep { $_->status == 200 && $_->body =~ /^<p>[12]{10}<\/p>$/ } @visitors), 50, '... for any number of visitors';
$backend->set("/f$_" => {headers => [['Cache-Control', 'max-age=600']], body => 'new'}) for 1 .. 10;
$backend->release;
ok $t->await(sub { $t->get('/page')->body eq '<p>' . 'new' x 10 . '</p>' }), 'all ten become new';
is $backend->count("/f$_"), 1, "fragment $_ was fetched once" for 1 .. 10;
is $backend->count('/page'), 0, 'the page that they are in was not fetched again';

done_testing;
