"""View decorators that say what the edge may keep."""
import functools
import logging

from larder.compat import iscoroutinefunction
from larder.headers import NEVER, Policy, seconds
from larder.state import add_tags

logger = logging.getLogger("larder.middleware")


def _after(view, finish):
    """The view, sync or async as it was, with finish(response, request, *args, **kwargs) run on what it returns."""
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
    """The edge may keep the response: fresh for `ttl`, then `stale` longer while a new one is made, and `error` longer
    when none can be made (seconds or timedelta; None: as nginx is configured). `tags` purge it: a list, or a function of
    (request, *args, **kwargs) that returns one. Where that function raises, the error is logged and the response not kept: it
    could not be purged. `everybody`: the response is the same with and without a session, so that visitors who are logged in get
    it from the edge, too; it is made by a request without their cookies."""
    policy = Policy(seconds("ttl", ttl), seconds("stale", stale), seconds("error", error), everybody=bool(everybody))
    if isinstance(tags, str):
        raise ValueError(f"tags={tags!r}: must be a list of tags or a function, not one string")

    def finish(response, request, *args, **kwargs):
        response.larder_policy = policy
        try:
            add_tags(*(tags(request, *args, **kwargs) if callable(tags) else tags))
        except Exception:  # the view has done its work, which may be a write
            logger.exception("%s is not kept: its tags can't be made", request.path)
            response.larder_policy = NEVER

    return lambda view: _after(view, finish)


def never_edge(view):
    """The edge must not keep the response: it is for one visitor, or for one moment."""

    def finish(response, request, *args, **kwargs):
        response.larder_policy = NEVER

    return _after(view, finish)
