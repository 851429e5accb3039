"""What the request under way may do and has done. In a context variable: threads and async tasks each see their own."""
import contextlib
import contextvars
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from larder import conf
from larder.headers import checked_tag
from larder.signing import Route


@dataclass
class RequestState:
    """Made by the middleware for each request. Mutable, so that work in other threads of the request is seen."""

    request: Any
    route: Optional[Route] = None
    capable: bool = False  # the edge said it processes ESI/1.0
    esi_used: bool = False
    personal: bool = False  # something of the visitor's own was rendered in place
    pinned: bool = False  # a write was asked for: from now on this request reads the primary
    wrote: bool = False  # a statement that writes went to the primary
    tags: Dict[str, None] = field(default_factory=dict)  # in order, each once
    inlined: List[Any] = field(default_factory=list)  # responses of the fragments rendered in place
    query_count: int = 0
    query_seconds: float = 0.0
    aliases: Dict[str, None] = field(default_factory=dict)  # that answered a query, in order

    @property
    def read_unchecked(self):
        """Whether a replica answered that nobody had checked for this request: it may have lacked the write that the edge
        believes to be in what it gets."""
        checked = {conf.PRIMARY, self.route.alias if self.route else conf.PRIMARY}
        return any(alias in conf.replicas() and alias not in checked for alias in self.aliases)

    @property
    def behind_larder(self):
        return self.capable or self.route is not None


_state = contextvars.ContextVar("larder_request_state", default=None)


def current():
    """The RequestState of the request under way, or None outside of one."""
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
    """The verified Route of the request under way, or None."""
    state = current()
    return state.route if state else None


def add_tags(*tags):
    """Adds purge tags to the response under way; outside of a request, does nothing. ValueError for an empty one."""
    checked = [checked_tag(tag) for tag in tags]
    state = current()
    if state:
        state.tags.update(dict.fromkeys(checked))
