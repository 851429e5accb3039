# Thousands of random visitors at a site that echoes all it saw: no page holds anything that its reader did not send.
use Larder::Test;
use JSON::PP qw(decode_json);

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF', workers => 2);
    larder_signing_key 0123456789abcdef0123456789abcdef;
    larder_zone 16m;
    larder_valid 1m;
    larder_query drop @marketing;
    larder_query sort;
    server {
        listen @nginx@;
        larder near;
        larder_cookie lang value;
        larder_cookie me private;
        larder_cookie sessionid presence;
        larder_header X-Kept;
        location / { proxy_pass http://@backend@; }
        location /grouped { larder_group /group cookie=sessionid; proxy_pass http://@backend@; }
    }
CONF
$backend->set('/*' => {echo => 1}, '/group' => {body => 'of {cookie:sessionid}'});
my $seed = $ENV{LARDER_TEST_SEED} || time;
note "LARDER_TEST_SEED=$seed";
srand $seed;
sub pick { $_[rand @_] }

# A random request, and what of it the site may see.
sub visitor {
    my %cookies = map { rand() < 0.5 ? ($_ => pick(qw(de fr 1 2))) : () } qw(lang me sessionid junk _ga);
    my %query   = map { rand() < 0.3 ? ($_ => pick(1, 2)) : () } qw(a b utm_source gclid);
    my @order   = sort { rand() <=> 0.5 } keys %cookies;
    my $kept    = rand() < 0.3 ? pick('x', 'y') : undef;
    my $path    = pick('/', '/a', '/grouped');
    my $passes  = $cookies{sessionid} && $path ne '/grouped';    # the request is sent in full
    my $group   = $cookies{sessionid} && !$passes ? "of $cookies{sessionid}" : undef;
    my $query   = join '&', map { "$_=$query{$_}" } sort { rand() <=> 0.5 } keys %query;
    return {
        passes  => $passes,
        path    => length $query ? "$path?$query" : $path,
        headers => [@order ? (Cookie => join pick('; ', ';'), map { "$_=$cookies{$_}" } @order) : (),
            defined $kept ? ('X-Kept' => $kept) : (), 'Larder-Group' => 'of 1', 'X-Visitor' => rand, 'User-Agent' => rand],
        may_see => {
            cookies => $passes ? \%cookies : {map { $_ => $cookies{$_} } grep { exists $cookies{$_} } qw(lang me)},
            group   => $group,
            query   => $passes ? $query : join('&', map { "$_=$query{$_}" } grep { exists $query{$_} } qw(a b)),
            kept    => $kept,
        },
    };
}
my (%statuses, @leaks);
for my $round (1 .. 30) {
    for my $answer ($t->many(100, sub { visitor() })) {
        $statuses{$answer->larder}++;
        my $page = decode_json($answer->body);
        my %headers = map { lc $_->[0] => $_->[1] } @{$page->{headers}};
        my $saw = {cookies => $page->{cookies}, query => $page->{query}, kept => $headers{'x-kept'}, group => $headers{'larder-group'}};
        my $passed = $answer->larder eq 'PASS';
        my $strangers = $passed ? '' : join ' ', grep { !/^(?:host|connection|cookie|x-kept|x-forwarded-proto|larder-group)$/ } sort keys %headers;
        my $may = $answer->{request}{may_see};
        push @leaks, "a session: $answer->{request}{passes}, passed: $passed" if !$answer->{request}{passes} != !$passed;
        push @leaks, JSON::PP->new->canonical->encode([$saw, $may, $strangers])
            if $strangers || JSON::PP->new->canonical->encode($saw) ne JSON::PP->new->canonical->encode($may);
    }
}
is_deeply \@leaks, [], 'every page is exactly what its own reader may see' or diag "LARDER_TEST_SEED=$seed";
cmp_ok $statuses{HIT} + ($statuses{COALESCED} || 0), '>', 1000, '... and most answers came from cache';

done_testing;
