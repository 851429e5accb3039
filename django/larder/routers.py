"""The database router. It sends reads to the server that the request's signed route names, unless they might then miss the request's own
writes.

The response to a GET without a route may be kept by the edge, for as long as a regeneration's. But larderd has not chosen a replica that
is fresh enough for it. So such requests read from the primary.
"""
from django.db import connections

from larder import conf, state
from larder.primary import primary_wanted


class LarderRouter:
    """In DATABASE_ROUTERS it must come after routers of models in other databases, and before routers that choose among replicas."""

    def db_for_read(self, model, instance=None, **hints):
        if not conf.get("ENABLED") or not _concerns_us(instance):
            return None
        request_state = state.current()
        if _must_use_primary(model, request_state):
            return conf.PRIMARY
        if request_state is None:
            return None
        if request_state.route is not None:
            return request_state.route.alias
        if conf.get("LIVE") == "primary" and request_state.request.method in ("GET", "HEAD"):
            return conf.PRIMARY
        return None

    def db_for_write(self, model, instance=None, **hints):
        if not conf.get("ENABLED") or not _concerns_us(instance):
            return None
        request_state = state.current()
        if request_state:
            request_state.pinned = True
        # Otherwise Django would save an object on the replica that it was read from.
        return conf.PRIMARY if _home(instance) in conf.get("REPLICAS") else None

    def allow_relation(self, first, second, **hints):
        same_data = {conf.PRIMARY, *conf.get("REPLICAS")}
        return True if {_home(first), _home(second)} <= same_data else None

    def allow_migrate(self, db, app_label, **hints):
        return False if db in conf.get("REPLICAS") else None


def _home(instance):
    """The alias that the object was read from or saved to; None for a new object."""
    return instance._state.db if instance is not None else None


def _concerns_us(instance):
    return _home(instance) in (None, conf.PRIMARY, *conf.get("REPLICAS"))


def _must_use_primary(model, request_state):
    if primary_wanted() or (request_state and request_state.pinned):
        return True
    labels = conf.get("ALWAYS_PRIMARY")
    if model._meta.app_label in labels or model._meta.label in labels:
        return True
    return connections[conf.PRIMARY].in_atomic_block
