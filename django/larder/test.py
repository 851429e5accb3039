"""Helpers for a site's own tests: requests as from the edge, routed requests, and purges that are captured instead of sent."""
import contextlib
import re
from unittest import mock

from django.db import DEFAULT_DB_ALIAS
from django.test import Client

from larder import purging
from larder.signing import Route

CAPABILITY = 'larder="ESI/1.0"'


def edge_client(**defaults):
    """A test client that sends requests like nginx with Larder: {% esi %} becomes an include tag, and responses have Larder-* headers."""
    return Client(HTTP_SURROGATE_CAPABILITY=CAPABILITY, **defaults)


def routed(alias, path="/", fence="", deadline_ms=0):
    """Extra arguments of client.get() for a request that larderd has routed to `alias`: client.get(url, **routed("replica1"))"""
    return {"HTTP_LARDER_ROUTE": Route(alias or DEFAULT_DB_ALIAS, fence, path, deadline_ms).signed(),
            "HTTP_SURROGATE_CAPABILITY": CAPABILITY}


class Purges:
    """The purges that would have been sent. `calls`: a list of (mode, {"tags": [...]} or {"urls": [...]}, position)."""

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
    """Captures purges: `with capture_purges() as purges: ...`, then look at purges.tags. In a TestCase, whose transaction never commits,
    also wrap the write in captureOnCommitCallbacks(execute=True)."""
    caught = Purges()
    with mock.patch.object(purging, "_send", lambda names, mode, position, deadline: caught.calls.append((mode, names, position))):
        yield caught


class EdgeAssertions:
    """Mixin for test cases with assertions on Larder's headers."""

    def assert_surrogate_keys(self, response, *tags):
        self.assertEqual(set(response.get("Surrogate-Key", "").split()), set(tags))

    def assert_fragment_queries(self, response, count, alias=None):
        """Asserts that the response took `count` queries, all of them on `alias` if given. The request must be made by edge_client() or
        with routed()."""
        found = re.fullmatch(r"n=(\d+);t=[\d.]+;a=(.*)", response.get("Larder-Queries", ""))
        self.assertIsNotNone(found, "no Larder-Queries header: was the request made by edge_client() or routed()?")
        self.assertEqual(int(found[1]), count)
        if alias is not None:
            self.assertEqual(found[2], alias if count else "")
