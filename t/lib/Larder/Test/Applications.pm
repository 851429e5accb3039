package Larder::Test::Applications;

# Installs WordPress and MediaWiki from Debian for a test, with PHP by FastCGI and a database of their own.
#
#   my $root = wordpress($t);    its files; @wordpress@ is PHP's address
#   my $file = mediawiki($t);    its index.php; @mediawiki@ is PHP's address
use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(wordpress mediawiki);

use Larder::Test ();

my %place = (wordpress => '/usr/share/wordpress', mediawiki => '/usr/share/mediawiki');

# PHP with Debian's php.ini, and with several processes, since pages make requests to the site itself.
sub _php {
    my ($t, $name, %env) = @_;
    return $t->_start('Larder::Test::Server', $name, command => ['php-cgi', '-b', $t->address($name)], env => {PHP_FCGI_CHILDREN => 4, %env});
}

sub _run {
    my ($t, $what, @command) = @_;
    my ($failed, $said) = $t->run_command(\@command);
    die "$what: $said" if $failed;
    return $said;
}

# Starts MariaDB with a database `site`, which root may use without a password. Returns the path of its socket.
sub mariadb {
    my ($t) = @_;
    my $dir = $t->dir . '/mariadb';
    my @user = $> == 0 ? ('--user=root') : ();
    _run($t, 'mariadb-install-db', 'mariadb-install-db', '--no-defaults', @user, "--datadir=$dir",
        '--auth-root-authentication-method=normal', '--skip-test-db');
    my $socket = $t->dir . '/mariadb.sock';
    $t->_start('Larder::Test::Server', 'mariadb', stop_signal => 'TERM', command => ['mariadbd', '--no-defaults', @user, "--datadir=$dir",
        "--socket=$socket", "--pid-file=$dir/pid", '--bind-address=127.0.0.1', '--port=' . $t->port('mariadb'), '--innodb-flush-log-at-trx-commit=0']);
    _run($t, 'mariadb', 'mariadb', '--no-defaults', '-uroot', "--socket=$socket", '-e', 'CREATE DATABASE site');
    return $socket;
}

# Installs a blog with one post and one page. The administrator is "admin", with the password "of tests only".
sub wordpress {
    my ($t) = @_;
    my $socket = mariadb($t);
    my $root = $t->dir . '/wordpress';
    _run($t, 'cp', 'cp', '-r', $place{wordpress}, $root);
    $t->file('wordpress/wp-config.php', <<"PHP");
<?php
define('DB_NAME', 'site'); define('DB_USER', 'root'); define('DB_PASSWORD', ''); define('DB_HOST', 'localhost:$socket');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', 'http://' . \$_SERVER['HTTP_HOST']); define('WP_SITEURL', WP_HOME);
define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as \$what) { define("{\$what}_KEY", "key \$what"); define("{\$what}_SALT", "salt \$what"); }
\$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
PHP
    $t->file('install.php', <<"PHP");
<?php
\$_SERVER['HTTP_HOST'] = 'blog.example'; \$_SERVER['REQUEST_URI'] = '/';
define('WP_INSTALLING', true);
require '$root/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
function wp_mail() { return true; }
wp_install('A blog', 'admin', 'admin\@blog.example', true, '', 'of tests only');
update_option('permalink_structure', '/%postname%/');
flush_rewrite_rules();
PHP
    _run($t, 'wp_install', 'php', '-d', 'display_errors=stderr', $t->dir . '/install.php');
    _php($t, 'wordpress');
    return $root;
}

# Installs a wiki with one page, on SQLite. The administrator is "Admin", with the password "of tests only".
sub mediawiki {
    my ($t) = @_;
    my $dir = $t->dir . '/mediawiki';
    mkdir $dir;
    _run($t, "MediaWiki's install.php", 'php', "$place{mediawiki}/maintenance/install.php", '--dbtype', 'sqlite', '--dbpath', $dir,
        '--dbname', 'wiki', '--confpath', $dir, '--server', 'http://wiki.example', '--scriptpath', '/w', '--pass', 'of tests only', 'A wiki', 'Admin');
    open my $settings, '>>', "$dir/LocalSettings.php" or die $!;
    print $settings "\n\$wgArticlePath = '/wiki/\$1';\n\$wgMainCacheType = CACHE_NONE;\n\$wgJobRunRate = 0;\n\$wgUseCdn = true;\n\$wgCdnMaxAge = 600;\n";
    close $settings;
    _php($t, 'mediawiki', MW_CONFIG_FILE => "$dir/LocalSettings.php");
    return "$place{mediawiki}/index.php";
}

1;
