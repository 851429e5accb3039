# A location may answer in nginx's rewrite phase, before the lookup: such an answer can be a fragment or a group like any other.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        larder near;
        larder_esi on;
        location / { proxy_pass http://@backend@; }
        location = /text { return 200 "a text"; }
        location = /gone { return 410 "gone"; }
        location = /moved { return 302 /text; }
        location = /refused { if ($uri) { return 403; } }
        location /grouped { larder_group /group cookie=sid; proxy_pass http://@backend@; }
        location = /group { internal; return 200 "all"; }
    }
CONF
$backend->set('/*' => {body => 'group={header:larder-group} sid={cookie:sid}'});
for my $case (['/text', 'a text'], ['/gone', ''], ['/moved', 'a text'], ['/refused', '']) {
    my ($fragment, $text) = @$case;
    $backend->set("/page$fragment" => {body => qq{[<esi:include src="$fragment" onerror="continue"/>]}});
    is $t->get("/page$fragment")->body, "[$text]", "$fragment in a page" for 1 .. 2;
}
is $t->get('/grouped', headers => [Cookie => "sid=$_"])->body, 'group=all sid=', 'a group that the configuration tells' for 1 .. 2;
is $backend->count('/grouped'), 1, '... is one';

done_testing;
