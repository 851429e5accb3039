"""purge(): tells larderd what a write made stale, after its commit and with its position, and never fails the write."""
import asyncio
import contextlib
import contextvars
import logging
import threading
import time

from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction

from larder import conf, outbox, state
from larder.client import DaemonError
from larder.headers import checked_tag
from larder.positions import current_position

logger = logging.getLogger("larder.purge")

MODES = ("soft", "hard")
MAX_NAMES_PER_CALL = 1000
_batch = contextvars.ContextVar("larder_purge_batch", default=None)


class Batch:
    """Committed purges that wait to be sent together: for each mode the tags and the URLs, each once. Threads and tasks that
    outlive the request which made it still see it, so it says when it takes no more."""

    def __init__(self):
        self.names = {}
        self.closed = False
        self.lock = threading.Lock()

    def add(self, mode, tags, urls):
        """False when it is closed."""
        with self.lock:
            for kind, names in (("tags", tags), ("urls", urls)):
                if names and not self.closed:
                    self.names.setdefault((mode, kind), {}).update(dict.fromkeys(names))
            return not self.closed

    def __bool__(self):
        return bool(self.names)

    def end(self):
        """Whatever comes from now on is its caller's to send. Whether there is something to send."""
        with self.lock:
            self.closed = True
            return bool(self.names)

    def send(self):
        """One position for all of them: any position read after the last commit covers the earlier ones. Raises no Exception,
        as all of it is committed."""
        with self.lock:
            waiting, self.names = self.names, {}
        if not waiting:
            return
        position = _position_or_none()
        deadline = time.monotonic() + conf.get("TIMEOUT")
        for (mode, kind), names in waiting.items():
            names = list(names)
            for start in range(0, len(names), MAX_NAMES_PER_CALL):
                _send({kind: names[start:start + MAX_NAMES_PER_CALL]}, mode, position, deadline)


def purge(tags=(), urls=(), *, mode="soft", using=None):
    """After the current transaction commits (at once outside of one), purges by tags and by URLs.

    URLs are absolute, or paths of LARDER["SITE"] or of the request under way. Mode "soft" marks entries stale, so they
    are served until regenerated; "hard" removes them. Inside a request everything is sent once, before its response
    leaves. `using`: the alias whose transaction to wait for, if not the primary's. An unreachable larderd is logged, never
    raised; an empty tag, a relative URL or an unknown mode is a ValueError."""
    if isinstance(tags, str) or isinstance(urls, str):
        raise ValueError("purge() takes lists of tags and URLs, not one string")
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(MODES)}")
    tags = [checked_tag(tag) for tag in tags]
    urls = [_absolute(url) for url in urls]
    if not tags and not urls:
        return
    if _on_event_loop():
        if _open_batch() is None:
            raise SynchronousOnlyOperation("outside of a request, call purge() through sync_to_async: it does I/O")
        _committed(mode, tags, urls)  # transactions are for sync code, so none is open here
    else:
        transaction.on_commit(lambda: _committed(mode, tags, urls), using=using or conf.PRIMARY)


@contextlib.contextmanager
def batch():
    """Gathers the purges committed inside and sends them together at the end, also when the block raises: what was
    committed before that is stale all the same. The middleware does this for every request; an inner batch joins it."""
    if _open_batch() is not None:
        yield
        return
    collected = Batch()
    try:
        with use_batch(collected):
            yield
    finally:
        collected.end()
        collected.send()


@contextlib.contextmanager
def use_batch(collected):
    """Inside the block committed purges go to `collected`; the caller sends it."""
    token = _batch.set(collected)
    try:
        yield
    finally:
        _batch.reset(token)


def _on_event_loop():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _open_batch():
    collected = _batch.get()
    return None if collected is None or collected.closed else collected


def _committed(mode, tags, urls):
    collected = _open_batch()
    if collected is not None and collected.add(mode, tags, urls):
        return
    alone = Batch()
    alone.add(mode, tags, urls)
    alone.send()


def _absolute(url):
    if "://" in url:
        return url
    if not url.startswith("/"):
        raise ValueError(f"bad purge URL {url!r}: must be absolute, or a path that starts with /")
    request_state = state.current()
    if conf.get("SITE"):
        return conf.get("SITE").rstrip("/") + url
    if request_state:
        return request_state.request.build_absolute_uri(url)
    raise ValueError(f"bad purge URL {url!r}: outside of a request a path needs LARDER['SITE'] before it")


def _position_or_none():
    try:
        return current_position()
    except Exception:  # the write is committed; whatever ails the database now must not undo that for the caller
        logger.exception("no commit position: replicas may regenerate from before this write")
        return ""


def _send(names, mode, position, deadline):
    if not conf.get("DAEMON"):
        logger.warning("not purged, as LARDER['DAEMON'] is not set: %s", names)
        return
    arguments = {**names, "mode": mode, "position": position}
    try:
        answer = outbox.call(arguments, deadline)
        logger.info("purged %s at %s: %s", names, position or "no position", answer)
        outbox.look()
    except DaemonError as error:
        kept = not error.refused and outbox.keep(arguments)
        logger.error("not purged%s: %s (%s)", " yet" if kept else "", names, error)
    except Exception:  # the write is committed, whatever ails the sending
        logger.exception("not purged: %s", names)
