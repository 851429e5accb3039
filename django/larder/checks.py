"""System checks of the LARDER setting, and of other settings that must agree with it."""
from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning
from django.db import models
from django.db import router as connection_router
from django.utils.module_loading import import_string

from larder import conf
from larder.client import parse_url
from larder.registration import registered_models

_TYPES = {"ENABLED": bool, "INLINE": bool, "OUTBOX": bool, "FALLBACK_KEYS": (list, tuple), "REPLICAS": (list, tuple),
          "ALWAYS_PRIMARY": (list, tuple), "TIMEOUT": (int, float)}
MIDDLEWARE = "larder.middleware.LarderMiddleware"
ROUTER = "larder.routers.LarderRouter"


def check_settings(app_configs=None, **_):
    given = getattr(settings, "LARDER", {})
    if not isinstance(given, dict):
        return [Error(f"LARDER is {given!r}: it must be a dict.", id="larder.E001")]
    found = [*_names(given), *_types(given)]
    if found or not conf.get("ENABLED"):
        return found
    return [*_keys(), *_daemon(), *_replicas(), *_live(), *_labels(), *_sessions(), *_group(), *_middleware(), *_router(), *_silent_deletes()]


def _names(given):
    for name in given:
        if name not in conf.DEFAULTS:
            yield Error(f"LARDER[{name!r}] is unknown.", hint=f"Known: {', '.join(conf.DEFAULTS)}.", id="larder.E002")


def _types(given):
    for name, value in given.items():
        kind = _TYPES.get(name, str)
        if name in conf.DEFAULTS and not isinstance(value, kind):
            wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            yield Error(f"LARDER[{name!r}] is {type(value).__name__}: it must be {wanted}.", id="larder.E003")


def _live():
    if conf.get("LIVE") not in ("primary", "routers"):
        yield Error(f"LARDER['LIVE'] is {conf.get('LIVE')!r}: it must be \"primary\" or \"routers\".", id="larder.E015")


def _keys():
    keys = {"KEY": conf.get("KEY"), **{f"FALLBACK_KEYS[{i}]": key for i, key in enumerate(conf.get("FALLBACK_KEYS"))}}
    for name, key in keys.items():
        if not isinstance(key, str) or len(key.encode()) < conf.MINIMUM_KEY_BYTES:
            yield Error(f"LARDER {name} has fewer than {conf.MINIMUM_KEY_BYTES} bytes.", id="larder.E004",
                        hint="openssl rand -hex 32 makes one; larderd.toml holds the same under [signing].")
        elif key == settings.SECRET_KEY:
            yield Error(f"LARDER {name} is SECRET_KEY: larderd must not be able to sign sessions.", id="larder.E005")


def _daemon():
    url = conf.get("DAEMON")
    if not url:
        yield Warning("LARDER['DAEMON'] is not set: purge() will only log.", id="larder.W001")
        return
    try:
        kind = parse_url(url)[0]
    except ValueError as error:
        yield Error(f"LARDER['DAEMON'] is {error}.", id="larder.E006")
        return
    if kind != "unix" and not conf.get("TOKEN"):
        yield Warning("LARDER['TOKEN'] is not set, but larderd asks for one over TCP.", id="larder.W002")


def _replicas():
    for alias in conf.get("REPLICAS"):
        if alias == conf.PRIMARY:
            yield Error(f"LARDER['REPLICAS'] names {alias!r}, which is the primary.", id="larder.E007")
        elif alias not in settings.DATABASES:
            yield Error(f"LARDER['REPLICAS'] names {alias!r}, which DATABASES lacks.", id="larder.E008",
                        hint=f"DATABASES has: {', '.join(settings.DATABASES)}.")


def _labels():
    for label in conf.get("ALWAYS_PRIMARY"):
        app, _, model = label.partition(".")
        try:
            if model:
                apps.get_model(app, model)
            elif app != "sessions":  # the default value, legal even if the app is not installed
                apps.get_app_config(app)
        except (LookupError, ValueError):
            yield Error(f"LARDER['ALWAYS_PRIMARY'] names {label!r}: no such app or model.", id="larder.E009")


def _group():
    path = conf.get("GROUP")
    if not path:
        return
    try:
        found = import_string(path)
    except ImportError as error:
        yield Error(f"LARDER['GROUP'] is {path!r}: {error}", hint="The dotted path of a function of the request.", id="larder.E012")
        return
    if not callable(found):
        yield Error(f"LARDER['GROUP'] is {path!r}: not a function of the request.", id="larder.E012")


def _sessions():
    engine = getattr(settings, "SESSION_ENGINE", "")
    if conf.get("REPLICAS") and engine.endswith((".db", ".cached_db")) and apps.is_installed("django.contrib.sessions") \
            and not {"sessions", "sessions.Session"} & set(conf.get("ALWAYS_PRIMARY")):
        yield Warning("Sessions are in the database and not in LARDER['ALWAYS_PRIMARY']: a lagging replica logs people out.",
                      id="larder.W003")


def _middleware():
    middleware = list(settings.MIDDLEWARE)
    if MIDDLEWARE not in middleware:
        yield Error(f"MIDDLEWARE lacks {MIDDLEWARE!r}.", id="larder.E010")
    elif middleware[0] != MIDDLEWARE:
        yield Warning(f"{MIDDLEWARE!r} is not first in MIDDLEWARE: cookies and writes of {middleware[0]!r} escape it.",
                      id="larder.W004")


def _router():
    if not conf.get("REPLICAS"):
        return
    ours = import_string(ROUTER)
    places = [place for place, router in enumerate(connection_router.routers) if isinstance(router, ours)]
    if not places:
        yield Error(f"LARDER['REPLICAS'] is set, but DATABASE_ROUTERS lacks {ROUTER!r}.", id="larder.E011")
        return
    for place, router in enumerate(connection_router.routers):
        name = f"{type(router).__module__}.{type(router).__name__}"
        for model in apps.get_models() if not isinstance(router, ours) else ():
            aliases = _read_from(router, model)
            if place < places[0] and aliases & conf.replicas():
                yield Error(f"{name} sends reads of {model._meta.label} to a replica before {ROUTER!r} is asked: routes count for nothing, "
                            "and what a lagging replica shows is kept as fresh.", id="larder.E013",
                            hint=f"In DATABASE_ROUTERS, put {ROUTER!r} before it. Before ours go only routers of models that live elsewhere.")
                break
            if place > places[0] and aliases - {conf.PRIMARY, *conf.replicas()}:
                yield Error(f"{name} says where {model._meta.label} lives, but {ROUTER!r} is asked before it, and would read it here.",
                            id="larder.E014", hint=f"In DATABASE_ROUTERS, put it before {ROUTER!r}.")
                break


def _read_from(router, model):
    """The aliases that a router returns for reads. It may choose at random, so it is called several times."""
    try:
        return {router.db_for_read(model) for _ in range(32)} - {None}
    except Exception:  # the router has no such method, or needs a request
        return set()


def _silent_deletes():
    by_database = [getattr(models, name) for name in ("DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT") if hasattr(models, name)]
    for model in registered_models():
        for field in model._meta.local_concrete_fields:
            if getattr(field.remote_field, "on_delete", None) in by_database:
                yield Warning(f"{field} is changed by the database itself when what it refers to is deleted: that purges nothing.",
                              hint="Purge where you delete, or use on_delete=CASCADE, SET_NULL or SET_DEFAULT.", id="larder.W006")
