"""The signed header Larder-Route: the database server that larderd has chosen for a request."""
import re
from dataclasses import dataclass

from django.core.signing import BadSignature, SignatureExpired, TimestampSigner

from larder import conf

SALT = "larder.route"
MAX_AGE_S = 10
# The fragment is a path, which may contain our separators: it is everything between "fragment=" and the last ";deadline=".
_VALUE = re.compile(r"alias=([^;]+);fence=([^;]*);fragment=(.*);deadline=(\d+)", re.DOTALL)


class RouteSigner(TimestampSigner):
    """TimestampSigner with Larder's own key. Doesn't accept SHA-1 signatures, as Django 3.2 does by default."""

    legacy_algorithm = None

    def __init__(self, key):
        super().__init__(key=key, salt=SALT)


@dataclass(frozen=True)
class Route:
    """The route of one regeneration. `fence`: the position that the server has replayed; larderd has checked that."""

    alias: str
    fence: str = ""
    fragment: str = ""
    deadline_ms: int = 0  # Unix time in ms at which larderd stops waiting for the response

    def signed(self):
        """The header's value, as larderd sends it."""
        value = f"alias={self.alias};fence={self.fence};fragment={self.fragment};deadline={self.deadline_ms}"
        return RouteSigner(conf.get("KEY")).sign(value)


def verify(text):
    """The Route in a header value. Raises BadSignature unless it was signed within the last 10 s with the key or a fallback key."""
    keys = [key for key in (conf.get("KEY"), *conf.get("FALLBACK_KEYS")) if key]
    failure = BadSignature("LARDER['KEY'] is not set")
    for key in keys:
        try:
            value = RouteSigner(key).unsign(text, max_age=MAX_AGE_S)
        except SignatureExpired:
            raise
        except BadSignature as error:
            failure = error
            continue
        parts = _VALUE.fullmatch(value)
        if not parts:
            raise BadSignature("signed, but not alias=...;fence=...;fragment=...;deadline=...")
        return Route(parts[1], parts[2], parts[3], int(parts[4]))
    raise failure
