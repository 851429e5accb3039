"""Settings of the test site, with a primary and two streaming replicas that run-tests has started (tools/pg-rig)."""
import os

from django.core.exceptions import ImproperlyConfigured

if "PG_RIG_DIR" not in os.environ:
    raise ImproperlyConfigured("these tests need a PostgreSQL primary with two replicas: start them by django/run-tests")

SECRET_KEY = "only for tests, and not the key of Larder"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
ROOT_URLCONF = "tests.shop.urls"
TEST_RUNNER = "tests.runner.RigRunner"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.sessions", "larder", "tests.shop"]
MIDDLEWARE = ["larder.middleware.LarderMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates",
              "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],
              "OPTIONS": {"context_processors": ["django.template.context_processors.request"]}}]


def _database(node):
    return {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PG_DATABASE"], "USER": "larder",
            "HOST": "127.0.0.1", "PORT": os.environ[f"PG_{node}_PORT"], "CONN_MAX_AGE": None}


DATABASES = {"default": _database("PRIMARY"), "replica1": _database("R1"), "replica2": _database("R2")}
DATABASE_ROUTERS = ["larder.routers.LarderRouter"]
LARDER = {"KEY": "0123456789abcdef0123456789abcdef", "REPLICAS": ["replica1", "replica2"], "DATABASE": "pg1"}
# Tests of log messages use assertLogs.
LOGGING = {"version": 1, "handlers": {"none": {"class": "logging.NullHandler"}},
           "loggers": {name: {"handlers": ["none"], "propagate": False} for name in ("larder", "django.request")}}
