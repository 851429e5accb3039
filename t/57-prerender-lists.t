# Lists of pages to prerender: sitemaps that are compressed, redirected or missing; pages whose files would collide; two sets.
use Larder::Test;
use Larder::Test::Daemon;

my $t       = Larder::Test->new;
my $backend = $t->backend;
$t->redis;
my $at   = 'http://example.com';
my $list = sub { "\n<?xml version='1.0'?><urlset>" . join('', map { "<url><loc>$at$_</loc></url>" } @_) . '</urlset>' };
$backend->set(
    '/*'         => {headers => [['Cache-Control', 'max-age=600']], body => 'page {path}'},
    '/index.xml' => {body => '<sitemapindex>' . join('', map { "<sitemap><loc>$at/$_.xml</loc></sitemap>" } qw(one gone moved)) . '</sitemapindex>'},
    '/one.xml'   => {body => $list->('/one', '/index.html')},
    '/gone.xml'  => {status => 404},
    '/moved.xml' => {status => 301, headers => [['Location', '/new.xml']]},
    '/new.xml'   => {body => $list->('/moved')},
    '/slow'      => {hold => 1},
);
mkdir $t->dir . '/files';
my $d = Larder::Test::Daemon->start($t, more => <<"TOML");
[[prerender]]
name = "slow"
every = "1h"
urls = ["$at/slow"]
[[prerender]]
name = "site"
every = "1h"
directory = "\@dir\@/files"
sitemap = "$at/index.xml"
urls = ["$at/listed", "$at/", "$at/foo", "$at/foo/"]
TOML
my $file = sub { my $path = $t->dir . "/files$_[0]/index.html"; -f $path ? $t->read_file($path) : '' };
for my $path ('/listed', '', '/foo', '/one', '/moved') {
    ok $t->await(sub { $file->($path) }, "file of $path"), "$path has its file, though another set waits for its page, and a sitemap is gone";
}
is $file->(''), 'page /', 'the front page is the front page';
is $file->('/foo'), 'page /foo', 'the first of two pages with one place has it';
like $d->log, qr{http://example.com/foo/ is left out: its files would lie where those of /foo do}, '... and the second is told of';
like $d->log, qr{http://example.com/index.html is left out}, '... as is a page with the name of a file';
like $d->log, qr{sitemap http://example.com/gone.xml: status 404}, 'a sitemap that is gone is told of';
is $backend->count('/index.xml'), 1, '... and the list is not asked for again and again';
$backend->release;

done_testing;
