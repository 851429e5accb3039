<?php
// A PHP site with PHP's own sessions, of one file, for php-cgi. For tests only.
//
// Each request's Cookie field and target is a line in the file that the environment's LARDER_SEEN names.
file_put_contents(getenv('LARDER_SEEN'), ($_SERVER['HTTP_COOKIE'] ?? '-') . ' ' . $_SERVER['REQUEST_URI'] . "\n", FILE_APPEND);
header('Content-Type: text/plain');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

switch ($path) {
    case '/login':  // a link that came by mail
        session_start();
        $_SESSION['user'] = $_GET['user'];
        echo "welcome $_SESSION[user]";
        break;
    case '/logout':
        session_start();
        session_destroy();
        setcookie(session_name(), '', 1, '/');
        echo 'bye';
        break;
    case '/always':  // has a session for everybody
        session_start();
        echo 'always ' . ($_SESSION['user'] ?? 'nobody');
        break;
    case '/everybody':  // the same for all, and says so
        header('Larder-Audience: everybody');
        echo "everybody " . microtime(true);
        break;
    default:  // looks for a session only where there is a cookie, and says nothing of caches
        if (isset($_COOKIE[session_name()])) {
            session_cache_limiter('');
            session_start();
        }
        echo "$path " . ($_SESSION['user'] ?? 'nobody');
}
