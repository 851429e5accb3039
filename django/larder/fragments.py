"""Renders a fragment in place, instead of the edge: for development, tests, and sites without an edge."""
import asyncio
import contextvars
import copy
import threading
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django.http import QueryDict
from django.urls import resolve

from larder import state
from larder.compat import iscoroutinefunction

# Keys of request.META by which the CSRF middleware decides to set its cookie.
_CSRF_MARKS = ("CSRF_COOKIE", "CSRF_COOKIE_USED", "CSRF_COOKIE_NEEDS_UPDATE")


class FragmentError(Exception):
    """A fragment's view answered with a status other than 200, or there is no request to render it for."""


def render_inline(request, url):
    """Returns the text of the fragment at `url`, a path with or without a query. Calls its view with a GET request of the same
    visitor, without the middleware. The fragment's cookies, policy and Vary become the page's."""
    inner = _inner_request(request, url)
    response = _call(inner)
    if hasattr(response, "render") and not response.is_rendered:
        response.render()
    if response.status_code != 200:
        raise FragmentError(f"{url} answered {response.status_code}")
    for mark in _CSRF_MARKS:
        if mark in inner.META:
            request.META[mark] = inner.META[mark]
    request_state = state.current()
    if request_state:
        request_state.inlined.append(response)
    return b"".join(response).decode(response.charset)


def _inner_request(request, url):
    parts = urlsplit(url)
    inner = copy.copy(request)
    inner.method = "GET"
    inner.META = {**request.META, "REQUEST_METHOD": "GET", "PATH_INFO": parts.path, "QUERY_STRING": parts.query,
                  "CONTENT_LENGTH": "0"}
    inner.path = parts.path
    script = request.META.get("SCRIPT_NAME", "").rstrip("/")
    inner.path_info = parts.path[len(script):] if script and parts.path.startswith(script + "/") else parts.path
    inner.GET = QueryDict(parts.query)
    inner.resolver_match = resolve(inner.path_info, getattr(request, "urlconf", None))
    return inner


def _call(request):
    match = request.resolver_match
    if not iscoroutinefunction(match.func):
        return match.func(request, *match.args, **match.kwargs)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return async_to_sync(match.func)(request, *match.args, **match.kwargs)
    return _call_beside_loop(match, request)


def _call_beside_loop(match, request):
    """Calls an async view from a template that an async view renders. That view's event loop is blocked by this call, so the
    fragment runs on a loop of its own in another thread."""
    outcome = {}
    context = contextvars.copy_context()

    def work():
        try:
            outcome["response"] = asyncio.run(match.func(request, *match.args, **match.kwargs))
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=context.run, args=(work,), name="larder-fragment")
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["response"]

