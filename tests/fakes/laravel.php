<?php
// A site on Laravel, of one file, with Laravel's own sessions in files, for php-cgi. For tests only.
//
// The environment: LARDER_SEEN names a file in which each request's Cookie field and target is a line. Sessions are in its folder.
require '/usr/share/php/Illuminate/autoload.php';

use Illuminate\Config\Repository;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Facade;

file_put_contents(getenv('LARDER_SEEN'), ($_SERVER['HTTP_COOKIE'] ?? '-') . ' ' . $_SERVER['REQUEST_URI'] . "\n", FILE_APPEND);
$app = new Illuminate\Foundation\Application(__DIR__);
$app->instance('config', new Repository([
    'app' => ['key' => str_repeat('k', 32), 'cipher' => 'AES-256-CBC', 'env' => 'testing', 'debug' => true],
    'session' => ['driver' => 'file', 'files' => dirname(getenv('LARDER_SEEN')) . '/sessions', 'lifetime' => 120, 'expire_on_close' => false,
        'lottery' => [0, 100], 'cookie' => 'shop_session', 'path' => '/', 'domain' => null, 'secure' => false, 'http_only' => true, 'same_site' => 'lax'],
]));
Facade::setFacadeApplication($app);
foreach ([Illuminate\Filesystem\FilesystemServiceProvider::class, Illuminate\Encryption\EncryptionServiceProvider::class,
    Illuminate\Cookie\CookieServiceProvider::class, Illuminate\Session\SessionServiceProvider::class,
    Illuminate\View\ViewServiceProvider::class] as $provider) {
    $app->register($provider);
}
$router = $app['router'];
$router->middlewareGroup('web', [Illuminate\Cookie\Middleware\EncryptCookies::class, Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse::class,
    Illuminate\Session\Middleware\StartSession::class]);
function response_of(string $text) { return new Illuminate\Http\Response($text, 200, ['Content-Type' => 'text/plain']); }
// Without a session, as each answer with one sets its cookie.
$router->get('/kept/{path}', fn (Request $request) => response_of($request->getPathInfo() . ' nobody')->setPublic()->setMaxAge(60));
$router->group(['middleware' => 'web'], function ($router) {
    $router->get('/login', function (Request $request) {
        $request->session()->put('user', $request->query('user'));
        return response_of('welcome ' . $request->query('user'));
    });
    $router->get('/logout', function (Request $request) {
        $request->session()->invalidate();
        return response_of('bye');
    });
    $router->get('/{path}', fn (Request $request) => response_of($request->getPathInfo() . ' ' . $request->session()->get('user', 'nobody')))->where('path', '.*');
});
$request = Request::capture();
$app->instance('request', $request);
$router->dispatch($request)->send();
