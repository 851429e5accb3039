"""The response headers Surrogate-Control (what the edge may do with a response), Surrogate-Key (its purge tags) and Larder-Audience
(who may get it)."""
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Optional
from urllib.parse import quote

from django.utils.cache import patch_vary_headers

MAX_TAG_BYTES = 255
_KEPT_IN_TAGS = "".join(map(chr, range(0x21, 0x7F))).replace("%", "").replace(",", "")
_ESI = re.compile(r'"[^"]*\bESI/1\.0(?![.\d])[^"]*"')
ESI_CONTENT = 'content="ESI/1.0"'
# A view's lifetime applies to these statuses only: errors and temporary redirects, such as to a login page, must not be kept.
STORABLE_STATUS = {200, 203, 301, 308, 404, 410}


def checked_tag(tag):
    """The tag as it is written in headers and purges. '%', ',', a '*' at its end, and all bytes of its UTF-8 form but visible ASCII are percent-encoded;
    nginx and larderd decode that. A tag that is longer than 255 bytes in this form is cut, and a digest is appended. Raises ValueError
    for an empty tag."""
    text = quote(str(tag), safe=_KEPT_IN_TAGS, errors="surrogatepass")
    if not text:
        raise ValueError("a purge tag is empty")
    if text.endswith("*"):  # larderd refuses what looks like a wildcard
        text = text[:-1] + "%2A"
    if len(text) > MAX_TAG_BYTES:
        digest = hashlib.sha256(text.encode()).hexdigest()
        text = f"{text[:MAX_TAG_BYTES - len(digest) - 1]}~{digest}"
    return text


def seconds(name, value):
    """Converts an int or a timedelta to whole seconds; None stays None. Raises ValueError for negative or other values."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = int(value.total_seconds())
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name}={value!r}: must be seconds (a whole number, 0 or more) or a timedelta")
    return value


def says_esi(capability):
    """Whether the value of a Surrogate-Capability header announces ESI/1.0."""
    return bool(_ESI.search(capability))


def _stricter(a, b):
    given = [value for value in (a, b) if value is not None]
    return min(given) if given else None


@dataclass(frozen=True)
class Policy:
    """How long the edge may keep a response, in seconds. None leaves the decision to nginx's configuration."""

    ttl: Optional[int] = None
    stale: Optional[int] = None  # how long it may be served stale while it is regenerated
    error: Optional[int] = None  # how long it may be served stale if that fails
    never: bool = False
    everybody: bool = False  # the same with and without a session

    def with_part(self, part):
        """The policy of a response that contains a part with the policy `part`: the stricter of the two in each respect."""
        return Policy(_stricter(self.ttl, part.ttl), _stricter(self.stale, part.stale), _stricter(self.error, part.error),
                      self.never or part.never, self.everybody and part.everybody)

    def directives(self):
        if self.never:
            return ["no-store"]
        named = (("max-age", self.ttl), ("stale-while-revalidate", self.stale), ("stale-if-error", self.error))
        return [f"{name}={value}" for name, value in named if value is not None]


NEVER = Policy(never=True)


def adopt_fragments(response, fragments):
    """Adds the cookies and Vary headers of the fragments that were rendered in place to the page."""
    for fragment in fragments:
        response.cookies.update(fragment.cookies)
        if fragment.has_header("Vary"):
            patch_vary_headers(response, [name.strip() for name in fragment["Vary"].split(",")])


def _policy(response, state):
    if state.personal:
        return NEVER
    policy = getattr(response, "larder_policy", None)
    if policy is None or (response.status_code not in STORABLE_STATUS and not policy.never):
        return None
    if response.cookies:
        return NEVER
    for fragment in state.inlined:
        policy = policy.with_part(getattr(fragment, "larder_policy", Policy()))
    return policy


def _kept_as_stale(policy):
    """The policy of a response that is stale from the start: it may only be served while it is regenerated from a server that larderd
    chooses."""
    return replace(policy, ttl=0) if policy and not policy.never else NEVER


def set_surrogate_headers(response, state):
    """Sets the headers by the view's decorator and the request's state. A header that the view has set itself stays, except for a
    Surrogate-Control when the view has read from a replica that was not checked."""
    policy = _policy(response, state)
    if state.read_unchecked:
        policy = _kept_as_stale(policy)
        del response["Surrogate-Control"]
    directives = policy.directives() if policy else []
    if state.esi_used:
        directives.append(ESI_CONTENT)
    if directives and not response.has_header("Surrogate-Control"):
        response["Surrogate-Control"] = ", ".join(directives)
    if policy and policy.everybody and not policy.never and not response.has_header("Larder-Audience"):
        response["Larder-Audience"] = "everybody"
    if state.tags:
        own = response.get("Surrogate-Key", "").split()
        response["Surrogate-Key"] = " ".join(dict.fromkeys([*own, *state.tags]))
