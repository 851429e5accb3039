"""purge(): tells larderd what a write has made stale, after the commit and with its log position. It never makes the write fail."""
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
    """Collects the purges of committed transactions, to send them together: the tags and the URLs for each mode, without duplicates.

    Threads and tasks that outlive the request still have its batch in their context. So it is closed at the end of the request, and
    refuses later purges."""

    def __init__(self):
        self.names = {}
        self.closed = False
        self.lock = threading.Lock()

    def add(self, mode, tags, urls):
        """Returns False if the batch is closed."""
        with self.lock:
            for kind, names in (("tags", tags), ("urls", urls)):
                if names and not self.closed:
                    self.names.setdefault((mode, kind), {}).update(dict.fromkeys(names))
            return not self.closed

    def __bool__(self):
        return bool(self.names)

    def end(self):
        """Closes the batch. Returns whether there is something to send."""
        with self.lock:
            self.closed = True
            return bool(self.names)

    def send(self):
        """Sends all of them, with one position: a position read after the last commit covers all earlier commits. Raises no Exception,
        because the writes are committed."""
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
    """Purges by tags and URLs when the current transaction commits, or at once outside of a transaction.

    URLs are absolute, or paths, which are completed by LARDER["SITE"] or the current request. Mode "soft" marks entries stale: they
    are served until they are regenerated. Mode "hard" removes them. The purges of a request are sent together, before its response.
    `using`: the alias whose transaction to wait for; default: the primary.

    Raises ValueError for an empty tag, a relative URL and an unknown mode. If larderd can't be reached, that is logged, not raised."""
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
        _committed(mode, tags, urls)  # Django has transactions in sync code only, so none is open here
    else:
        transaction.on_commit(lambda: _committed(mode, tags, urls), using=using or conf.PRIMARY)


@contextlib.contextmanager
def batch():
    """Collects the purges that are committed inside it, and sends them together at the end, also when the block raises, because what was
    committed before that is stale nevertheless. The middleware does this for every request; there, batch() has no effect."""
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
    """Inside it, purges go to the batch `collected`, which the caller must send."""
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
    except Exception:  # not raised: the write is committed
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
        kind, listed = next(iter(names.items()))
        if error.refused and len(listed) > 1:  # one bad name must not take the others with it
            for part in (listed[:len(listed) // 2], listed[len(listed) // 2:]):
                _send({kind: part}, mode, position, deadline)
            return
        kept = not error.refused and outbox.keep(arguments)
        logger.error("not purged%s: %s (%s)", " yet" if kept else "", names, error)
    except Exception:  # not raised: the write is committed
        logger.exception("not purged: %s", names)
