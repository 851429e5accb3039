# A refresh that the site answers with an error leaves the page as it was, whatever the error says of its own lifetime.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_refresh inline;
    larder_stale while=1h;
    server {
        listen @nginx@;
        larder near;
        location / { proxy_pass http://@backend@; }
        location /any { larder_valid any 1m; proxy_pass http://@backend@; }
    }
CONF
for my $path ('/own', '/any') {
    $backend->set($path => {body => 'good', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]});
    $t->get($path);
    $backend->set($path => {status => 503, body => 'bad', headers => $path eq '/own' ? [['Cache-Control', 'max-age=60']] : []});
    is $t->get($path)->body, 'good', "$path: a stale page, while it is made anew";
    ok $t->await(sub { $backend->count($path) >= 2 }), '... which fails';
    my @answers = map { $t->get($path) } 1 .. 20;
    is scalar(grep { $_->status == 200 && $_->body eq 'good' } @answers), 20, '... so that the page stays';
    $backend->set($path => {body => 'new', headers => [['Cache-Control', 'max-age=60']]});
    ok $t->await(sub { $t->get($path)->body eq 'new' }, 'the new page', 20), '... until the site is well';
    $backend->set("$path-new" => {status => 503, body => 'bad', headers => [['Cache-Control', 'max-age=60']]});
    is join(' ', map { $t->get("$path-new")->larder } 1 .. 2), 'MISS HIT', '... and an error is kept where there is no page, if it says so';
}
done_testing;
