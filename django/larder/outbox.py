"""The outbox: keeps purges that larderd could not take in a table, and sends them later. They are sent by a thread of the process
that has kept them, by the next process that reaches larderd, or by `manage.py larder_flush`."""
import contextlib
import json
import logging
import threading
import time

from django.db import connections, transaction

from larder import conf, state
from larder.client import Daemon, DaemonError, breaker_of

logger = logging.getLogger("larder.purge")

LOOK_EVERY_S = 60.0  # how often a process looks for purges that others have kept and not sent


def call(arguments, deadline=None):
    """Calls larderd's purge API. Raises DaemonError, also if the circuit breaker admits no call at present."""
    breaker = breaker_of(conf.get("DAEMON"))
    if not breaker.admit():
        raise DaemonError(f"larderd failed; asked again in {breaker.left():.0f} s")
    try:
        answer = Daemon(conf.get("DAEMON"), conf.get("TOKEN"), conf.get("TIMEOUT")).purge(deadline=deadline, **arguments)
    except DaemonError as error:
        breaker.succeeded() if error.refused else breaker.failed()
        raise
    except BaseException:
        breaker.failed()
        raise
    breaker.succeeded()
    return answer


def keep(arguments):
    """Keeps one call for later. Returns False if the outbox is disabled, or, after logging the error, can't be written."""
    if not conf.get("OUTBOX"):
        return False
    try:
        with _untracked(), transaction.atomic(using=conf.PRIMARY):
            _model()._base_manager.using(conf.PRIMARY).create(call=json.dumps(arguments))
    except Exception:  # not raised: the write that the purge is for is committed
        logger.exception("the outbox can't be written: has `manage.py migrate larder` been run?")
        return False
    _watcher.wake()
    return True


def flush():
    """Sends all calls that are kept, the oldest first, and returns their number. Raises DaemonError when larderd can't take them."""
    sent = 0
    with _untracked():
        while _send_one():
            sent += 1
    return sent


def waiting():
    return _model()._base_manager.using(conf.PRIMARY).count()


def look():
    """To be called when larderd was reached. From time to time, looks for purges that a process which died has left."""
    if conf.get("OUTBOX"):
        _watcher.look()


def _model():
    from larder.models import WaitingPurge  # here, because models can't be imported before the apps are loaded

    return WaitingPurge


@contextlib.contextmanager
def _untracked():
    """Statements in this context are not counted for the current request."""
    with state.use_state(None):
        yield


def _send_one():
    """Sends one call. Returns False if there is none, or if other processes are sending all of them."""
    rows = _model()._base_manager.using(conf.PRIMARY).order_by("pk")
    if connections[conf.PRIMARY].features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    with transaction.atomic(using=conf.PRIMARY):
        row = rows.first()
        if row is None:
            return False
        try:
            call(json.loads(row.call))
        except DaemonError as error:
            if not error.refused:
                raise
            logger.error("not purged, as larderd refuses it: %s (%s)", row.call, error)
        row.delete(using=conf.PRIMARY)
    return True


class _Watcher:
    """A thread that sends what is kept. It is started on demand and ends when nothing is left."""

    def __init__(self):
        self.lock = threading.Lock()
        self.thread = None
        self.wanted = False
        self.looked = None

    def wake(self):
        with self.lock:
            self.wanted = True
            self.looked = time.monotonic()
            if self.thread is None or not self.thread.is_alive():  # also in the child of a fork
                self.thread = threading.Thread(target=self.run, name="larder-outbox", daemon=True)
                self.thread.start()

    def look(self):
        if self.looked is None or time.monotonic() - self.looked > LOOK_EVERY_S:
            self.wake()

    def run(self):
        try:
            while self.take_order():
                self.send()
        finally:
            connections.close_all()  # of this thread

    def take_order(self):
        with self.lock:
            wanted, self.wanted = self.wanted, False
            if not wanted:
                self.thread = None
            return wanted

    def send(self):
        while True:
            time.sleep(breaker_of(conf.get("DAEMON")).left())
            try:
                sent = flush()
                if sent:
                    logger.info("sent %s purges that were kept for larderd", sent)
                return
            except DaemonError:
                connections.close_all()  # don't hold connections while waiting
            except Exception:
                logger.exception("purges that are kept can't be sent now")
                return


_watcher = _Watcher()
