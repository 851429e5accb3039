"""Helpers for a site's own tests: requests as from the edge, routed requests, and purges caught instead of sent."""
import contextlib
import re
from unittest import mock

from django.db import DEFAULT_DB_ALIAS
from django.test import Client

from larder import purging
from larder.signing import Route

CAPABILITY = 'larder="ESI/1.0"'


def edge_client(**defaults):
    """A test client that asks as nginx with Larder does: {% esi %} gives include tags, and Larder-* headers come back."""
    return Client(HTTP_SURROGATE_CAPABILITY=CAPABILITY, **defaults)


def routed(alias, path="/", fence="", deadline_ms=0):
    """Extra arguments of client.get() for a request that larderd sends to `alias`: client.get(url, **routed("replica1"))"""
    return {"HTTP_LARDER_ROUTE": Route(alias or DEFAULT_DB_ALIAS, fence, path, deadline_ms).signed(),
            "HTTP_SURROGATE_CAPABILITY": CAPABILITY}


class Purges:
    """What would have been sent. `calls`: one (mode, {"tags": [...]} or {"urls": [...]}, position) for each."""

    def __init__(self):
        self.calls = []

    def _of(self, kind):
        return {name for _, names, _ in self.calls for name in names.get(kind, ())}

    @property
    def tags(self):
        return self._of("tags")

    @property
    def urls(self):
        return self._of("urls")


@contextlib.contextmanager
def capture_purges():
    """with capture_purges() as purges: ... ; purges.tags. In a TestCase, whose transaction never commits, wrap the write
    in captureOnCommitCallbacks(execute=True) too."""
    caught = Purges()
    with mock.patch.object(purging, "_send", lambda names, mode, position, deadline: caught.calls.append((mode, names, position))):
        yield caught


class EdgeAssertions:
    """Mixin for test cases."""

    def assert_surrogate_keys(self, response, *tags):
        self.assertEqual(set(response.get("Surrogate-Key", "").split()), set(tags))

    def assert_fragment_queries(self, response, count, alias=None):
        """`count` queries were made for this response, all on `alias` if given. For requests of edge_client() or routed()."""
        found = re.fullmatch(r"n=(\d+);t=[\d.]+;a=(.*)", response.get("Larder-Queries", ""))
        self.assertIsNotNone(found, "no Larder-Queries header: was the request made by edge_client() or routed()?")
        self.assertEqual(int(found[1]), count)
        if alias is not None:
            self.assertEqual(found[2], alias if count else "")
