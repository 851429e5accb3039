"""Settings of the demo site. Everything that differs between two instances on one machine comes from the environment:

  PG_DATABASE, PG_PRIMARY_PORT, PG_REPLICAS ("r1 r2"), PG_R1_PORT ...   as tools/pg-rig writes them to rig.env
  LARDER_KEY, LARDER_DAEMON, LARDER_TOKEN                               shared with larderd
"""
import os
import sys
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE.parent.parent / "django"))  # the package "larder", as in this checkout

SECRET_KEY = os.environ.get("SITE_SECRET_KEY", "a demo has no secrets; a site takes this from its environment")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # only nginx can reach the demo, and it takes any name
ROOT_URLCONF = "classifieds.urls"
WSGI_APPLICATION = "classifieds.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "larder", "ads"]
MIDDLEWARE = [
    "larder.middleware.LarderMiddleware",
    "ads.rendered.RenderedMiddleware",
    "django.middleware.common.CommonMiddleware",  # Content-Length
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": ["django.template.context_processors.request", "ads.rendered.context"]},
}]

# In the cookie itself, signed: a login is known at once, whichever replica lags and whichever database is down. (Sessions in
# the database work too; django-larder then reads them from the primary only.)
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"


def _database(node, **options):
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PG_DATABASE", "larder"),
        "USER": "larder",
        "HOST": "127.0.0.1",
        "PORT": os.environ[f"PG_{node.upper()}_PORT"],
        "CONN_MAX_AGE": 60,
        "OPTIONS": {"connect_timeout": 2, **options},
    }


_replicas = {f"replica{name[1:]}": name for name in os.environ.get("PG_REPLICAS", "").split()}
DATABASES = {
    "default": _database("primary"),
    **{alias: _database(node, options="-c default_transaction_read_only=on") for alias, node in _replicas.items()},
}
DATABASE_ROUTERS = ["larder.routers.LarderRouter"]
LARDER = {
    "KEY": os.environ.get("LARDER_KEY", "only-for-a-demo-on-one-machine-32-bytes-or-more"),
    "DAEMON": os.environ.get("LARDER_DAEMON", ""),
    "TOKEN": os.environ.get("LARDER_TOKEN", ""),
    "REPLICAS": list(_replicas),
}

LOGGING = {
    "version": 1,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
