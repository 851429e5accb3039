"""The LARDER setting: all its names, with their defaults."""
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

PRIMARY = DEFAULT_DB_ALIAS  # the alias of the primary: for writes, and for reads that must see them
MINIMUM_KEY_BYTES = 32

DEFAULTS = {
    "ENABLED": True,  # False: the middleware removes itself, and the router leaves all decisions to others
    "KEY": "",  # shared with larderd, at least 32 bytes, not SECRET_KEY
    "FALLBACK_KEYS": [],  # former keys, still accepted during a change of keys
    "DAEMON": "",  # http://127.0.0.1:PORT, https://..., or unix:/path; empty: purges are only logged
    "TOKEN": "",  # bearer token of larderd's API
    "TIMEOUT": 1.0,  # seconds that a request may spend on all its calls of larderd together
    "OUTBOX": True,  # keep purges that larderd can't take in the table larder_outbox until it can
    "DATABASE": PRIMARY,  # name of this site's [[database]] in larderd.toml
    "REPLICAS": [],  # aliases in DATABASES that a route may name
    "LIVE": "primary",  # who decides on reads of a GET or HEAD without a route: "primary", or "routers": the routers after ours
    "ALWAYS_PRIMARY": ["sessions"],  # app labels, or "app_label.Model", never read from a replica
    "SITE": "",  # https://example.org: completes purge URLs given as paths
    "GROUP": "",  # dotted path of a function that takes a request and returns the group of its visitor; "": no groups
    "INLINE": False,  # True: {% esi %} always renders in place, for development
}


def get(name):
    """The value of LARDER[name], or its default. Reads the setting at each call, so that override_settings works."""
    return getattr(settings, "LARDER", {}).get(name, DEFAULTS[name])


def replicas():
    """The aliases of replicas of the primary: LARDER["REPLICAS"], and databases that are a test mirror of the primary."""
    mirrors = {alias for alias, database in settings.DATABASES.items() if database.get("TEST", {}).get("MIRROR") == PRIMARY}
    return {*get("REPLICAS"), *mirrors}
