# A page has one URL, however it is spelt (RFC 3986 section 6.2.2): requests, purges and writes by any spelling concern the same
# page. The site gets the path as the client sent it, normalised.
use Larder::Test;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->nginx(<<'CONF');
    larder_zone 16m;
    larder_valid 1h;
    proxy_set_header Host $http_host;
    proxy_set_header X-Request-Uri $request_uri;
    server {
        listen @nginx@;
        server_name site;
        location / { larder near; proxy_pass http://@backend@; }
        location /slash/ { larder near; proxy_pass http://@backend@/; }
        location = /larder_purge { larder_purge; }
        location /by-method/ { larder near; if ($request_method = PURGE) { rewrite ^ /purge_method last; } proxy_pass http://@backend@; }
        location = /purge_method { internal; larder_purge; }
    }
CONF
$backend->set('/*' => {echo => 1});
sub seen  { my ($answer) = @_; my $r = JSON::PP::decode_json($answer->body); return ($r->{target} // $r->{path}, {map { lc $$_[0] => $$_[1] } @{$r->{headers}}}) }
sub ask   { my ($target, $host, $method) = @_; return $t->request(path => $target, headers => [Host => $host // 'site'], method => $method // 'GET', $method ? (body => '') : ()) }
sub quote { $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

# [a page, other spellings of it]
my @pages = (
    ['/plain', '/%70lain', '/./plain', '/x/../plain', '/%2e/plain', '/x/%2E%2e/plain', '/plain#part'],
    ['/wiki/Who%3F', '/wiki/%57ho%3f', '/wiki/./Who%3F'],
    ['/c%23', '/%63%23'],
    ['/100%25', '/%31%300%25'],
    ['/a%2541', '/%61%2541'],
    ['/caf%C3%A9/', '/caf%c3%a9/', "/caf\xc3\xa9/"],
    ['/a~b-c._/', '/a%7Eb%2dc%2e%5f/'],
    ['/unsafe/200x/http://img.example/a.jpg', '/unsafe/./200x/http://img.example/a.jpg'],
    ['/a//b', '/x/../a//b', '/%61//b'],
    ['/a/b'],
    ['/a%2Fb', '/a%2fb'],
    ['/a+b;c=1,2', '/%61+b;c=1,2'],
    ['/list(1)/', '/lis%74(1)/'],
    ['/%5B1%5D', '/%5b1%5d'],
    ['/slash/x//y%2Fz', '/slash/./x//y%2fz'],
);
for my $case (@pages) {
    my ($page, @spellings) = @$case;
    my ($target) = seen(ask($page));
    is $target, $page, "$page: the site gets it as the client sent it" if $page !~ /^.slash/;
    is ask($_)->larder, 'HIT', "$page: $_ is the same page" for @spellings;
    for my $other (grep { $_ ne $page } map { $$_[0] } @pages) {
        isnt seen(ask($other)), $target, "$page is not $other" if $other =~ /^\/a/ && $page =~ /^\/a/;
    }
    my @whole = grep { !/#|[^ -~]/ } $page, @spellings;
    for my $name (@whole) {
        ask($page);
        ask("/larder_purge?mode=hard&url=" . quote($name), undef, 'POST');
        is ask($page)->larder, 'MISS', "$page: a purge of $name";
        ask("/larder_purge?mode=hard&url=" . quote("HTTP://SITE.:80$name"), undef, 'POST');
        is ask($page)->larder, 'MISS', '... of HTTP://SITE.:80 with that path';
        ask($name, 'Site.:80', 'POST') if $name !~ /^.slash/;
        is ask($page)->larder, 'MISS', '... a write to it' if $name !~ /^.slash/;
        is ask($page)->larder, 'HIT', '... after which it is kept again';
    }
}

# A purge concerns only the pages of its URL.
for my $pair (['/a//b', '/a/b'], ['/a%2Fb', '/a/b'], ['/wiki/Who%3F', '/wiki/Who'], ['/c%23', '/c'], ['/a%2541', '/aA'], ['/x;y', '/x']) {
    my ($named, $other) = @$pair;
    ask($_) for $named, $other;
    ask("/larder_purge?mode=hard&url=" . quote($named), undef, 'POST');
    is ask($other)->larder, 'HIT', "$other stays when $named is purged";
}

# Paths that differ in escapes of characters that separate nothing are different pages, but one URL to a purge.
ask($_) for '/x(1)', '/x%281%29';
ask("/larder_purge?mode=hard&url=" . quote('/x%281%29'), undef, 'POST');
is ask($_)->larder, 'MISS', "$_ is purged as /x%281%29" for '/x(1)', '/x%281%29';

# PURGE concerns its own target, also if the configuration leads it elsewhere.
ask('/by-method/a//b%3F') for 1 .. 2;
is ask('/by-method/%61//b%3f', undef, 'PURGE')->status, 200, 'PURGE';
isnt ask('/by-method/a//b%3F')->larder, 'HIT', '... purges its target';

# A write also purges the URLs in Location and Content-Location.
for my $location ('/target%3f', 'http://site/target%3F', 'HTTP://SITE:80/x/../target%3F', '//site./target%3F', 'target%3F', './target%3F', '../target%3F?x#y') {
    for my $field ('Location', 'Content-Location') {
        ask('/target%3F');
        $backend->set('/write' => {status => 201, headers => [[$field, $location]]});
        ask('/write', undef, 'POST');
        is ask('/target%3F')->larder, 'MISS', "$field: $location";
    }
}
for my $location ('http://other/kept', '//other/kept', 'http://site:81/kept', 'ftp://site/kept', 'http://u@site/kept') {
    ask('/kept');
    $backend->set('/write' => {status => 201, headers => [['Location', $location]]});
    ask('/write', undef, 'POST');
    is ask('/kept')->larder, 'HIT', "$location is of another origin";
}
done_testing;
