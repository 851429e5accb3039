"""The state of the current request, in a context variable."""
import contextlib
import contextvars
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from larder import conf
from larder.headers import checked_tag
from larder.signing import Route


@dataclass
class RequestState:
    """Created by the middleware for each request. All threads and tasks of the request share the object."""

    request: Any
    route: Optional[Route] = None
    capable: bool = False  # the request came through an edge that processes ESI/1.0
    esi_used: bool = False
    personal: bool = False  # personal data of the visitor was rendered in place
    pinned: bool = False  # the request has written, so from now on it reads from the primary
    wrote: bool = False  # a writing statement was executed on the primary
    tags: Dict[str, None] = field(default_factory=dict)  # an ordered set
    inlined: List[Any] = field(default_factory=list)  # responses of the fragments rendered in place
    query_count: int = 0
    query_seconds: float = 0.0
    aliases: Dict[str, None] = field(default_factory=dict)  # an ordered set: databases that executed a query

    @property
    def read_unchecked(self):
        """Whether the request has read from a replica that larderd has not chosen for it. Such a replica may lack a write that the edge
        assumes to be in the response."""
        checked = {conf.PRIMARY, self.route.alias if self.route else conf.PRIMARY}
        return any(alias in conf.replicas() and alias not in checked for alias in self.aliases)

    @property
    def behind_larder(self):
        return self.capable or self.route is not None


_state = contextvars.ContextVar("larder_request_state", default=None)


def current():
    """The RequestState of the current request, or None outside of one."""
    return _state.get()


@contextlib.contextmanager
def use_state(state):
    """Makes `state` the current one inside the block."""
    token = _state.set(state)
    try:
        yield
    finally:
        _state.reset(token)


def current_route():
    """The verified Route of the current request, or None."""
    state = current()
    return state.route if state else None


def add_tags(*tags):
    """Adds purge tags to the response of the current request. Does nothing outside of a request. Raises ValueError for an empty tag."""
    checked = [checked_tag(tag) for tag in tags]
    state = current()
    if state:
        state.tags.update(dict.fromkeys(checked))
