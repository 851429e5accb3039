# WordPress from Debian behind Larder: visitors who are logged in never get an anonymous page, and nobody else gets theirs.
use Larder::Test;
use Larder::Test::Applications;

my $t    = Larder::Test->new;
my $root = wordpress($t);
$t->nginx(<<"CONF");
    larder_zone 16m;
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
    server {
        listen \@nginx\@;
        server_name blog.example;
        root $root;
        index index.php;
        larder_valid 10m;
        larder_cookie_preset wordpress;
        location / { try_files \$uri \$uri/ /index.php?\$args; }
        location ~ \\.php\$ { larder near; fastcgi_pass \@wordpress\@; }
    }
CONF
my @as    = (Host => 'blog.example');
my $ask   = sub { my ($path, $cookie) = @_; $t->get($path, headers => [@as, $cookie ? (Cookie => $cookie) : ()]) };
my $form  = sub { my ($path, $body, $cookie) = @_; $t->post($path, $body, headers => [@as, 'Content-Type' => 'application/x-www-form-urlencoded', $cookie ? (Cookie => $cookie) : ()]) };
my $jar   = sub { join '; ', map { /^([^;]+)/ } $_[0]->header('Set-Cookie') };
my $whose = sub { my $r = $ask->(@_); ($r->body =~ /<body class="[^"]*\blogged-in\b/ ? 'admin' : 'nobody') . ' ' . $r->larder };

# Anonymous visitors, a login, and anonymous visitors again.
my $front = $ask->('/')->body;
like $front, qr{<title>A blog</title>}, 'the front page';
is $whose->('/'), 'nobody HIT', '... is kept';
is $whose->('/hello-world/'), 'nobody MISS', 'a post has a page of its own';
like $ask->('/hello-world/')->body, qr/<title>Hello world!/, '... of its own title';
my $login = $form->('/wp-login.php', 'log=admin&pwd=of+tests+only&testcookie=1', 'wordpress_test_cookie=WP%20Cookie%20check');
is $login->status, 302, 'the administrator logs in';
my $admin = $jar->($login);
is $whose->($_, $admin), 'admin PASS', "... and is logged in at $_" for '/', '/hello-world/', '/sample-page/';
is $whose->('/sample-page/'), 'nobody MISS', 'the page that they were the first to see is made anew for others';
is $whose->($_), 'nobody HIT', "... and $_ is from cache" for '/', '/hello-world/', '/sample-page/';

# Session cookies that the site has not issued.
my ($name) = $admin =~ /(wordpress_logged_in_\w+)=/;
is $whose->('/', $_), 'nobody PASS', 'a session that nobody gave is the site\'s to judge' for "$name=1", "$name=admin%7C9999999999%7Cx%7Cy", 'wordpress_logged_in_x=1';
is $whose->('/'), 'nobody HIT', '... and nothing of it is kept';

# Only its author sees a comment that is not yet approved.
$front = $ask->('/hello-world/')->body;
my ($post) = $front =~ /name='comment_post_ID' value='(\d+)'/;
my $comment = $form->('/wp-comments-post.php', "author=Ann&email=ann%40blog.example&comment=First+word&comment_post_ID=$post&wp-comment-cookies-consent=yes");
is $comment->status, 302, 'a visitor leaves a comment';
my ($shown) = $comment->header('Location') =~ m{^http://blog\.example(/[^#]*)};
my $ann = $jar->($comment);
like $ask->($shown, $ann)->body, qr/awaiting moderation.*First word/s, '... and sees it';
like $ask->('/hello-world/', $ann)->body, qr/value="Ann"/, '... and their name in the form';
unlike $ask->('/hello-world/')->body, qr/First word|Ann"/, '... and nobody else does';

# Writing through the site's forms: the nonces in the administrator's pages are for the administrator only.
my ($nonce) = $ask->('/wp-admin/post-new.php', $admin)->body =~ /createNonceMiddleware\( "(\w+)" \)/;
ok $nonce, 'the editor opens';
my $edit = $t->post("/wp-json/wp/v2/posts/$post", '{"title":"A new title"}', headers => [@as, Cookie => $admin, 'Content-Type' => 'application/json', 'X-WP-Nonce' => $nonce]);
is $edit->status, 200, 'a post is edited';
like $ask->('/hello-world/', $admin)->body, qr/<title>A new title/, '... and its author sees that at once';

# After logging out, the administrator is an anonymous visitor.
my ($out) = $ask->('/', $admin)->body =~ m{href='http://blog\.example(/wp-login\.php\?action=logout[^']+)'};
$out =~ s/&#0?38;|&amp;/&/g;
is $ask->($out, $admin)->status, 302, 'the administrator logs out';
is $whose->('/', $admin), 'nobody PASS', '... and their session is no longer one';
is $whose->('/'), 'nobody HIT', '... and visitors saw none of it';
done_testing;
