# Sessions of Rails, Laravel and Express, by their presets. All three silently ignore a session id that they don't know. A
# visitor who is logged in must not get the page that they then send, it must not be stored, and no session id that Larder made
# up may reach them.
use Larder::Test;

my $t    = Larder::Test->new;
my $npm  = "$Larder::Test::root/build/npm/node_modules";
my $seen = sub { $t->dir . "/$_[0]/seen" };
# How a framework treats pages. own: shows who is logged in, and is never stored. open: is stored if nobody is logged in.
my %frameworks = (
    rails   => {own => '/page', open => '/kept/page', knows => 1},
    laravel => {own => '/page', open => '/kept/page', knows => 0},
    express => {open => '/page', knows => 1},
);
delete $frameworks{express} unless -d "$npm/express-session";
diag 'Express is left out: tools/bootstrap found no npm' unless $frameworks{express};

my $start = sub {
    my ($name, $file, @command) = @_;
    my $path = $t->file("$name/$file", $t->read_file("$Larder::Test::root/tests/fakes/$file"));
    mkdir $t->dir . "/$name/sessions";
    $t->_start('Larder::Test::Server', $name, command => [@command, $path], stop_signal => 'TERM',
        env => {LARDER_SEEN => $seen->($name), NODE_PATH => $npm, RAILS_ENV => 'production', PORT => $t->port($name)});
};
$start->('rails', 'sessions.ru', qw(puma --quiet --threads 1:4 --bind), 'tcp://' . $t->address('rails'));
$t->php('laravel.php', name => 'laravel', ini => 1);
$start->('express', 'sessions.js', 'node') if $frameworks{express};
$t->nginx(<<'CONF');
    larder_zone 8m;
    larder_valid 1m;
    fastcgi_param SCRIPT_FILENAME @dir@/laravel/laravel.php;
    include /etc/nginx/fastcgi_params;
    server { listen @nginx@; server_name rails;   location / { larder near; larder_cookie_preset rails;   proxy_pass http://@rails@; } }
    server { listen @nginx@; server_name laravel; location / { larder near; larder_cookie_preset laravel; fastcgi_pass @laravel@; } }
    server { listen @nginx@; server_name express; location / { larder near; larder_cookie_preset express; proxy_pass http://@express@; } }
CONF

for my $name (sort keys %frameworks) {
    my ($own, $open, $knows) = @{$frameworks{$name}}{qw(own open knows)};
    my $ask   = sub { my ($path, $cookie) = @_; $t->get($path, headers => [Host => $name, $cookie ? (Cookie => $cookie) : ()]) };
    my $shows = sub { my $r = $ask->(@_); [$r->body, $r->larder] };
    my $login = sub { join '; ', map { /^([^;]+)/ } $ask->("/login?user=$_[0]")->header('Set-Cookie') };
    my ($ann, $bob) = map { $login->($_) } qw(ann bob);
    my $of = sub { $knows ? $_[0] : 'nobody' };

    like $ann, qr/session=|connect\.sid=/, "$name: a session";
    is_deeply $shows->($open, $ann), ["$open " . $of->('ann'), 'PASS'], 'who has one gets what the site gives them, though they ask first';
    is_deeply $shows->($open), ["$open nobody", 'MISS'], 'a visitor without a session gets the page for such visitors';
    is_deeply $shows->($open), ["$open nobody", 'HIT'], '... from cache';
    is_deeply $shows->($open, $bob), ["$open " . $of->('bob'), 'PASS'], '... and those who are logged in still get theirs';
    my ($cookie) = split /=/, $ann;
    is $ask->($open, "$cookie=1")->body, "$open nobody", 'a session that nobody gave is the site\'s to judge';
    if ($own) {
        is_deeply [map { $ask->($own, $_)->body } $ann, '', $bob, '', $ann], [map { "$own $_" } qw(ann nobody bob nobody ann)],
            'what the site does not give to caches is everybody\'s own';
    }
    is $ask->('/logout', $ann)->body, 'bye', 'who logs out';
    is_deeply $shows->($open), ["$open nobody", 'HIT'], '... is like all others again';
    my @ids = map { /\b\Q$cookie\E=([^; ]*)/ } split /\n/, $t->read_file($seen->($name));
    is_deeply [grep { length $_ < 20 && $_ ne '1' } @ids], [], 'the site saw its own ids and what a visitor sent, and no other';
}
done_testing;
