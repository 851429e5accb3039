"""The LARDER setting: every name it may hold, with its default."""
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

PRIMARY = DEFAULT_DB_ALIAS  # writes, and every read that must see them, go to this alias
MINIMUM_KEY_BYTES = 32

DEFAULTS = {
    "ENABLED": True,  # False: the middleware removes itself and the router has no opinion
    "KEY": "",  # shared with larderd, at least 32 bytes, not SECRET_KEY
    "FALLBACK_KEYS": [],  # former keys, still accepted while a key is being changed
    "DAEMON": "",  # http://127.0.0.1:PORT, https://..., or unix:/path; empty: purges are only logged
    "TOKEN": "",  # bearer token of larderd's API
    "TIMEOUT": 1.0,  # seconds that larderd may cost a request, all its calls together
    "OUTBOX": True,  # purges that larderd can't take are kept in the table larder_outbox until it can
    "DATABASE": PRIMARY,  # what larderd.toml calls this site's database
    "REPLICAS": [],  # aliases in DATABASES that a route may name
    "LIVE": "primary",  # who reads for GET and HEAD without a route: "primary", or "routers", those after ours
    "ALWAYS_PRIMARY": ["sessions"],  # app labels, or "app_label.Model", never read from a replica
    "SITE": "",  # https://example.org: completes purge URLs given as paths
    "GROUP": "",  # dotted path of a function: request -> the group of its visitor, a short text; "" for none
    "INLINE": False,  # True: {% esi %} always renders in place, for development
}


def get(name):
    """The value of LARDER[name], or its default. Read at each call, so override_settings works."""
    return getattr(settings, "LARDER", {}).get(name, DEFAULTS[name])


def replicas():
    """The aliases that show the primary's data later: those named, and those that Django's own tests take for it."""
    mirrors = {alias for alias, database in settings.DATABASES.items() if database.get("TEST", {}).get("MIRROR") == PRIMARY}
    return {*get("REPLICAS"), *mirrors}
