# Scheduled prerendering into the store and into files. Files are complete and assembled, and never replaced by a worse page.
use Larder::Test;
use Larder::Test::Daemon;
use IO::Uncompress::Gunzip ();

my $t       = Larder::Test->new;
my $backend = $t->backend;
my $redis   = $t->redis;
mkdir my $files = $t->dir . '/files';
my $esi = ['Surrogate-Control', 'max-age=60, content="ESI/1.0"'];
$backend->set(
    '/'            => {body => '<h1>front {n}</h1>', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]},
    '/caf%C3%A9/'  => {body => 'coffee'},
    '/page'        => {body => 'a<esi:include src="/part?x=1"/>b<esi:include src="/gone" onerror="continue"/>c', headers => [$esi]},
    '/part'        => {body => '[part {n}<esi:include src="/inner"/>]', headers => [$esi]},
    '/inner'       => {body => '(inner)', headers => [['Cache-Control', 'max-age=0, stale-while-revalidate=600']]},
    '/gone'        => {status => 404},
    '/broken'      => {body => 'x<esi:include src="/gone"/>', headers => [$esi]},
    '/form'        => {body => '<form><esi:vars>$csrf_token()</esi:vars></form>', headers => [$esi]},
    '/private'     => {headers => [['Cache-Control', 'private']]},
    '/data'        => {type => 'application/json', body => '{}'},
    '/from-map'    => {body => 'named by the sitemap'},
    '/sitemap.xml' => {type => 'application/xml', body => '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
            . '<url><loc> http://example.com/from-map </loc></url><url><loc>http://elsewhere.com/</loc></url>'
            . join('', map { "<url><loc>http://example.com$_</loc></url>" } '/?page=2', '/a/%2e%2e/%2e%2e/etc', '/last') . '</urlset>'},
);
my $d = Larder::Test::Daemon->start($t, more => <<'TOML');
[[prerender]]
name = "site"
every = "2s"
directory = "@dir@/files"
sitemap = "http://example.com/sitemap.xml"
urls = ["http://example.com/", "http://example.com/caf%C3%A9/", "http://example.com/page", "http://example.com/broken",
        "http://example.com/form", "http://example.com/private", "http://example.com/data"]
TOML
my $read = sub { $t->read_file("$files/$_[0]") };
ok $t->await(sub { -e "$files/last/index.html" }, 'last file', 30), 'pages of the list and of the sitemap are written';
like $read->('index.html'), qr{^<h1>front \d</h1>$}, 'a page is written as DIRECTORY/index.html';
is $read->("caf\xc3\xa9/index.html"), 'coffee', '... under the path as nginx decodes it';
like $read->('page/index.html'), qr{^a\[part 1\(inner\)\]bc$}, 'a page with fragments is written assembled';
my $html;
IO::Uncompress::Gunzip::gunzip(\(my $gz = $read->('page/index.html.gz')), \$html);
is $html, $read->('page/index.html'), '... and gzipped';
is unpack('x4 V', $gz), 0, '... without a time, so that the same page makes the same file';
ok !-e "$files/$_/index.html", "no file for /$_" for qw(broken form private data);
my $log = $d->log;
like $log, qr{no new page for \Q$_->[0]\E: $_->[1]}, "... $_->[0]: the log says why" for
    ['http://example.com/broken', 'a fragment failed'], ['http://example.com/private', 'its render failed, or may not be stored'],
    ['http://example.com/data', 'it is not text/html'], ['http://example.com/form', q{it holds a form's token}];
like $log, qr{\Q$_->[0]\E is left out: $_->[1]}, "left out: $_->[0]" for
    ['http://elsewhere.com/', 'its files would lie among those of another host'],
    ['http://example.com/?page=2', 'a URL with a query has no file of its own'];
is $read->('etc/index.html'), "/etc render 1\n", 'a path with dot segments is the one that they lead to, and never above the directory';
is_deeply [grep { !m{^\Q$files\E(?:/(?:page|from-map|last|etc|caf\xc3\xa9))?(?:/index\.html(?:\.gz)?)?$} } glob "$files/* $files/*/*"], [], 'nothing else was written';

my $first = $read->('index.html');
ok $t->await(sub { $read->('index.html') ne $first }, 'next run'), 'the next run renders anew';
$backend->set('/' => {status => 500, body => 'error page'}, '/page' => {status => 503, body => 'error page'});
my $failed = sub { my $count = () = $d->log =~ m{no new page for http://example\.com/:}g; $count };
my $then = $failed->();
ok $t->await(sub { $failed->() > $then + 1 }, 'two failed runs', 30), 'when the backend fails';
like $read->('index.html'), qr{^<h1>front}, '... the old files stay';
like $read->('page/index.html'), qr{^a\[part}, '... assembled pages, too';
my @left = grep { /larder-tmp/ } map { glob "$files/$_" } '.*', '*/.*';
is_deeply \@left, [], 'no temporary file is left';
is $d->status->{jobs}{refused}, 0, 'prerender jobs are jobs like all others';
done_testing;
