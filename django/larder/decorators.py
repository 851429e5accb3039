"""View decorators that control what the edge may keep."""
import functools
import logging

from larder.compat import iscoroutinefunction
from larder.headers import NEVER, Policy, seconds
from larder.state import add_tags

logger = logging.getLogger("larder.middleware")


def _after(view, finish):
    """Wraps a sync or async view, so that finish(response, request, *args, **kwargs) is called after it."""
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def wrapper(request, *args, **kwargs):
            response = await view(request, *args, **kwargs)
            finish(response, request, *args, **kwargs)
            return response

    else:

        @functools.wraps(view)
        def wrapper(request, *args, **kwargs):
            response = view(request, *args, **kwargs)
            finish(response, request, *args, **kwargs)
            return response

    return wrapper


def edge_cache(ttl, stale=None, error=None, tags=(), everybody=False):
    """The edge may keep the response.

    It is fresh for `ttl`. After that it may be served for `stale` while it is regenerated, and for `error` if that fails. All three
    are seconds or a timedelta; None leaves the decision to nginx's configuration.

    `tags`: the tags that purge it, as a list or as a function of (request, *args, **kwargs) that returns one. If the function raises,
    the error is logged and the response is not kept, because it could not be purged.

    `everybody`: the response is the same with and without a session. Visitors who are logged in then get it from the edge, too. It
    is rendered by a request without their cookies."""
    policy = Policy(seconds("ttl", ttl), seconds("stale", stale), seconds("error", error), everybody=bool(everybody))
    if isinstance(tags, str):
        raise ValueError(f"tags={tags!r}: must be a list of tags or a function, not one string")

    def finish(response, request, *args, **kwargs):
        response.larder_policy = policy
        try:
            add_tags(*(tags(request, *args, **kwargs) if callable(tags) else tags))
        except Exception:  # not raised: the view has done its work, possibly a write
            logger.exception("%s is not kept: its tags can't be made", request.path)
            response.larder_policy = NEVER

    return lambda view: _after(view, finish)


def never_edge(view):
    """The edge must not keep the response."""

    def finish(response, request, *args, **kwargs):
        response.larder_policy = NEVER

    return _after(view, finish)
