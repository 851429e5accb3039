"""use_primary: for code that must read what was just written."""
import contextvars
import functools

from larder.compat import iscoroutinefunction

_depth = contextvars.ContextVar("larder_use_primary", default=0)


def primary_wanted():
    return _depth.get() > 0


class use_primary:
    """Sends all reads inside it to the primary. A context manager, `with use_primary():`, and a decorator of sync and async functions.

    May be nested. The same object may be entered several times, but not by several threads or tasks."""

    def __enter__(self):
        _depth.set(_depth.get() + 1)
        return self

    def __exit__(self, *exception):
        _depth.set(_depth.get() - 1)

    def __call__(self, function):
        if iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                with use_primary():
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                with use_primary():
                    return function(*args, **kwargs)

        return wrapper
