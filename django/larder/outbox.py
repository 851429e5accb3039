"""Purges that larderd could not take are kept in a table, and sent when it can: by a thread of the process that kept them, by
whichever process next reaches larderd, or by `manage.py larder_flush`."""
import contextlib
import json
import logging
import threading
import time

from django.db import connections, transaction

from larder import conf, state
from larder.client import Daemon, DaemonError, breaker_of

logger = logging.getLogger("larder.purge")

LOOK_EVERY_S = 60.0  # for what processes that died have kept


def call(arguments, deadline=None):
    """One call of larderd's purge. DaemonError, also when it has just failed and is not asked again yet."""
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
    """Keeps one call for later. False, and a line in the log, where that can't be done."""
    if not conf.get("OUTBOX"):
        return False
    try:
        with _untracked(), transaction.atomic(using=conf.PRIMARY):
            _model()._base_manager.using(conf.PRIMARY).create(call=json.dumps(arguments))
    except Exception:  # the write that the purge is for is committed
        logger.exception("the outbox can't be written: has `manage.py migrate larder` been run?")
        return False
    _watcher.wake()
    return True


def flush():
    """Sends what is kept, the oldest first; returns how many calls. DaemonError when larderd can't take them."""
    sent = 0
    with _untracked():
        while _send_one():
            sent += 1
    return sent


def waiting():
    return _model()._base_manager.using(conf.PRIMARY).count()


def look():
    """larderd was reached just now: there may be something of a process that died."""
    if conf.get("OUTBOX"):
        _watcher.look()


def _model():
    from larder.models import WaitingPurge  # not before the apps are loaded

    return WaitingPurge


@contextlib.contextmanager
def _untracked():
    """These statements are none of the request's under way."""
    with state.use_state(None):
        yield


def _send_one():
    """False when nothing is kept that nobody else is sending."""
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
    """A thread that is there while something is kept."""

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
            connections.close_all()  # this thread's

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
                connections.close_all()  # for as long as it waits
            except Exception:
                logger.exception("purges that are kept can't be sent now")
                return


_watcher = _Watcher()
