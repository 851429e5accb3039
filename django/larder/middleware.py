"""Verifies the request's route, sets up its state and its batch of purges, sends the purges, and sets response headers."""
import asyncio
import contextlib
import logging

from asgiref.sync import sync_to_async
from django.core.exceptions import MiddlewareNotUsed
from django.core.signing import BadSignature
from django.utils.decorators import sync_and_async_middleware

from larder import conf, state
from larder.compat import iscoroutinefunction
from larder.headers import adopt_fragments, says_esi, set_surrogate_headers
from larder.positions import current_position
from larder.purging import Batch, use_batch
from larder.signing import verify

logger = logging.getLogger("larder.middleware")


@sync_and_async_middleware
def LarderMiddleware(get_response):  # noqa: N802, settings name it as a class
    """Must be first in MIDDLEWARE, so that it sees the writes and cookies of all other middleware."""
    if not conf.get("ENABLED"):
        raise MiddlewareNotUsed("LARDER['ENABLED'] is False")

    if iscoroutinefunction(get_response):

        async def middleware(request):
            with _Request(request) as (request_state, purges):
                try:
                    response = await get_response(request)
                except BaseException:  # for instance CancelledError, as the client is gone
                    if purges.end():
                        await asyncio.shield(sync_to_async(purges.send, thread_sensitive=True)())
                    raise
                if purges.end() or request_state.wrote:
                    await sync_to_async(_after_writes, thread_sensitive=True)(response, request_state, purges)
                return _finished(response, request_state)

    else:

        def middleware(request):
            with _Request(request) as (request_state, purges):
                try:
                    response = get_response(request)
                except BaseException:  # for instance SystemExit, as the worker is being stopped
                    if purges.end():
                        purges.send()
                    raise
                if purges.end() or request_state.wrote:
                    _after_writes(response, request_state, purges)
                return _finished(response, request_state)

    return middleware


class _Request:
    """The state and the purge batch of one request, in the current context while the request is served."""

    def __init__(self, request):
        self.state = state.RequestState(request, _route(request), says_esi(request.META.get("HTTP_SURROGATE_CAPABILITY", "")))

    def __enter__(self):
        purges = Batch()
        self.context = contextlib.ExitStack()
        self.context.enter_context(state.use_state(self.state))
        self.context.enter_context(use_batch(purges))
        return self.state, purges

    def __exit__(self, *exception):
        self.context.close()


def _route(request):
    text = request.META.get("HTTP_LARDER_ROUTE")
    if text is None:
        return None
    try:
        route = verify(text)
    except BadSignature as error:
        logger.warning("Larder-Route of %s ignored: %s", request.path, type(error).__name__)
        return None
    if route.alias not in (conf.PRIMARY, *conf.get("REPLICAS")):
        logger.warning("Larder-Route of %s ignored: %r is not in LARDER['REPLICAS']", request.path, route.alias)
        return None
    return route


def _after_writes(response, request_state, purges):
    purges.send()
    if request_state.wrote and request_state.behind_larder:
        try:
            position = current_position()
        except Exception:  # not raised: the write is committed, and a missing header only costs freshness
            logger.exception("no Larder-Wrote for %s", request_state.request.path)
            return
        if position:
            response["Larder-Wrote"] = position


def _finished(response, request_state):
    adopt_fragments(response, request_state.inlined)
    set_surrogate_headers(response, request_state)
    if request_state.behind_larder:
        aliases = ",".join(request_state.aliases)
        response["Larder-Queries"] = (f"n={request_state.query_count};t={request_state.query_seconds * 1000:.1f}"
                                      f";a={aliases}")
    return response
