"""Who rendered this, and when: for the footer and headers of each response, and counted for /stats/.

Counts what the database connections really were asked, on its own and not by django-larder's account of it."""
from contextlib import ExitStack
from multiprocessing import Array

from django.conf import settings
from django.db import connections
from django.utils import timezone

import larder

NOBODY = "no database"
_names = [*settings.DATABASES, NOBODY]
# Memory shared by the worker processes, which are forked after this module was loaded: requests, then regenerations.
_counts = Array("Q", 2 * len(_names))


class Rendered:
    """The aliases asked so far for one request. As text: "12:34:56.789 by replica1"."""

    def __init__(self):
        self.aliases = {}
        self.at = timezone.now()

    def record(self, execute, sql, params, many, context):
        self.aliases[context["connection"].alias] = None
        return execute(sql, params, many, context)

    @property
    def by(self):
        return "+".join(self.aliases) or NOBODY

    @property
    def time(self):
        return self.at.strftime("%H:%M:%S.") + f"{self.at.microsecond // 1000:03d}"

    def __str__(self):
        return f"{self.time} by {self.by}"


class RenderedMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        rendered = request.rendered = Rendered()
        with ExitStack() as stack:
            for alias in settings.DATABASES:
                stack.enter_context(connections[alias].execute_wrapper(rendered.record))
            response = self.get_response(request)
        response["X-Rendered-By"] = rendered.by
        response["X-Rendered-At"] = rendered.time
        _count(rendered)
        return response


def _count(rendered):
    with _counts.get_lock():
        for alias in rendered.aliases or [NOBODY]:
            place = _names.index(alias)
            _counts[place] += 1
            if larder.current_route():
                _counts[len(_names) + place] += 1


def counts():
    """Since the start, for each alias: requests that asked it, and those of them that larderd sent."""
    with _counts.get_lock():
        values = list(_counts)
    return {"requests": dict(zip(_names, values)), "regenerations": dict(zip(_names, values[len(_names):]))}


def context(request):
    return {"rendered": request.rendered}
