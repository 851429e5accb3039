# MediaWiki from Debian behind Larder: visitors who are logged in never get an anonymous page, and nobody else gets theirs.
use Larder::Test;
use Larder::Test::Applications;

my $t     = Larder::Test->new;
my $index = mediawiki($t);
$t->nginx(<<"CONF");
    larder_zone 16m;
    include /etc/nginx/fastcgi_params;
    server {
        listen \@nginx\@;
        server_name wiki.example;
        larder_cookie_preset mediawiki;
        location /wiki/        { rewrite ^ /w/index.php; }
        location = /w/index.php { larder near; fastcgi_param SCRIPT_FILENAME $index; include /etc/nginx/fastcgi_params; fastcgi_pass \@mediawiki\@; }
        location = /w/api.php   { fastcgi_param SCRIPT_FILENAME /usr/share/mediawiki/api.php; include /etc/nginx/fastcgi_params; fastcgi_pass \@mediawiki\@; }
    }
CONF
my @as = (Host => 'wiki.example');
my $ask = sub { my ($path, $cookie) = @_; $t->get($path, headers => [@as, $cookie ? (Cookie => $cookie) : ()]) };
my $whose = sub { my $r = $ask->(@_); ($r->body =~ /"wgUserName":"(\w+)"/ ? $1 : $r->body =~ /"wgUserName":null/ ? 'nobody' : 'no page') . ' ' . $r->larder };

# Calls MediaWiki's API as a visitor who keeps cookies.
my %cookies;
my $cookie = sub { join '; ', map { "$_=$cookies{$_}" } sort keys %cookies };
my $api = sub {
    my %words = (@_, format => 'json');
    my $body = join '&', map { my $v = $words{$_}; $v =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge; "$_=$v" } sort keys %words;
    my $r = $t->post('/w/api.php', $body, headers => [@as, 'Content-Type' => 'application/x-www-form-urlencoded', %cookies ? (Cookie => $cookie->()) : ()]);
    for ($r->header('Set-Cookie')) {
        my ($name, $value) = /^([^=]+)=([^;]*)/;
        $value eq 'deleted' ? delete $cookies{$name} : ($cookies{$name} = $value);
    }
    return JSON::PP::decode_json($r->body);
};

is $whose->('/wiki/Main_Page'), 'nobody MISS', 'the main page';
is $whose->('/wiki/Main_Page'), 'nobody HIT', '... is kept';
like $ask->('/wiki/Special:Version')->body, qr/<title>Version/, 'another page of the same rewrite is another page';

my $token = $api->(action => 'query', meta => 'tokens', type => 'login')->{query}{tokens}{logintoken};
is $api->(action => 'clientlogin', username => 'Admin', password => 'of tests only', logintoken => $token,
    loginreturnurl => 'http://wiki.example/')->{clientlogin}{status}, 'PASS', 'the administrator logs in';
my $admin = $cookie->();
is $whose->('/wiki/Main_Page', $admin), 'Admin PASS', '... and is logged in';
is $whose->('/wiki/Special:SpecialPages', $admin), 'Admin PASS', '... where nobody was before, too';
like $whose->('/wiki/Special:SpecialPages'), qr/^nobody (MISS|PASS)$/, '... which is then made anew for others';
is $whose->('/wiki/Main_Page'), 'nobody HIT', 'visitors get the main page from cache';
is $whose->('/wiki/Main_Page', $_), 'nobody PASS', 'a session that nobody gave is the site\'s to judge'
    for map { /(\w+)=/ ? "$1=abcdefghijklmnopqrstuvwxyz012345" : () } grep { /_session|Token/ } split /; /, $admin;

# An edit: its author sees it at once.
$token = $api->(action => 'query', meta => 'tokens')->{query}{tokens}{csrftoken};
is $api->(action => 'edit', title => 'A new page', text => 'First text.', token => $token)->{edit}{result}, 'Success', 'a page is written';
like $ask->('/wiki/A_new_page', $cookie->())->body, qr/First text\./, '... and its author sees it';
like $ask->('/wiki/A_new_page')->body, qr/First text\./, '... and so do others';
is $api->(action => 'edit', title => 'A new page', text => 'Second text.', token => $token)->{edit}{result}, 'Success', 'it is edited';
like $ask->('/wiki/A_new_page', $cookie->())->body, qr/Second text\./, '... and its author sees that at once';

is keys %{$api->(action => 'logout', token => $token)}, 0, 'the administrator logs out';
is $whose->('/wiki/Main_Page', $admin), 'nobody PASS', '... and their session is no longer one';
is $whose->('/wiki/Main_Page'), 'nobody HIT', '... and visitors saw none of it';
done_testing;
