# Equivalent queries give one page: parameters kept, dropped, sorted, or the query ignored.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    server {
        listen @nginx@;
        location /as-is/ { larder near; proxy_pass http://@backend@; }
        location /keep/  { larder near; larder_query keep page q_*; proxy_pass http://@backend@; }
        location /drop/  { larder near; larder_query drop utm_* gclid; proxy_pass http://@backend@; }
        location /sort/  { larder near; larder_query sort; proxy_pass http://@backend@; }
        location /none/  { larder near; larder_query none; proxy_pass http://@backend@; }
    }
CONF
$backend->set('/*' => {body => '{query}'});

# [path, query, equivalent query, query of another page, what the backend saw]
my @cases = (
    ['/as-is/', 'b=2&a=1',            'b=2&a=1',           'a=1&b=2',     'b=2&a=1'],
    ['/keep/',  'page=2&x=1&q_a=3',   'x=9&page=2&q_a=3',  'page=3&q_a=3', 'page=2&q_a=3'],
    ['/drop/',  'a=1&utm_source=x',   'gclid=7&a=1',       'a=2',         'a=1'],
    ['/sort/',  'b=2&a=1',            'a=1&b=2',           'a=1&b=3',     'a=1&b=2'],
    ['/none/',  'a=1',                'b=2',               undef,         ''],
);
for my $case (@cases) {
    my ($path, $query, $same, $other, $seen) = @$case;
    is $t->get("$path?$query")->body, $seen, "$path: the backend sees the canonical query";
    is $t->get("$path?$same")->larder, 'HIT', "$path: $same is the same page as $query";
    is $t->get("$path?$other")->larder, 'MISS', "$path: $other is not" if defined $other;
}
is $t->get('/drop/?utm_source=x')->body, '', 'if no parameter is left, no query is sent';
is $t->get('/drop/')->larder, 'HIT', '... as if there had been none';
is $t->get('/keep/?page=1&page=2')->body, 'page=1&page=2', 'a parameter that comes twice stays twice, in its order';
is $t->get('/sort/?a=2&b=1&a=1')->body, 'a=2&a=1&b=1', '... also when sorted';

done_testing;
