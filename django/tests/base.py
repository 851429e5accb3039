"""Shared by the tests: a clean database, control over real replicas, and a record of which server has executed each statement."""
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncClient, SimpleTestCase

from larder.positions import current_position

RIG = Path(__file__).resolve().parents[2] / "tools" / "pg-rig"
REPLICAS = {"replica1": "r1", "replica2": "r2"}
TIMEOUT_S = 20


def async_get(path, **headers):
    """Sends a GET through the ASGI handler. Headers are given by their names: **{"larder-route": text}."""

    async def get():
        return await AsyncClient().get(path, **headers)

    return async_to_sync(get)()


def rig(*arguments):
    return subprocess.run([RIG, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def answer(alias, sql, parameters=None):
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


def await_true(condition, what):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {TIMEOUT_S} s: {what}")
        time.sleep(0.005)


def replayed(alias, position):
    number = int(position.rsplit("/", 1)[1], 16)
    text = f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"
    return answer(alias, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [text])


def await_replicas():
    position = current_position()
    for alias in REPLICAS:
        await_true(lambda: replayed(alias, position), f"{alias} replays {position}")


@contextmanager
def replay_paused(alias):
    """Pauses replay: the replica keeps receiving WAL, but shows no later writes."""
    rig("pause", os.environ["PG_RIG_DIR"], REPLICAS[alias])
    try:
        yield
    finally:
        rig("resume", os.environ["PG_RIG_DIR"], REPLICAS[alias])


@contextmanager
def recorded():
    """Yields a list that gets (alias, SQL) for each statement of this thread, recorded independently of larder.observer."""
    log = []

    def recorder(alias):
        def record(execute, sql, params, many, context):
            log.append((alias, sql))
            return execute(sql, params, many, context)

        return record

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(recorder(connection.alias)))
        yield log


class DatabaseCase(SimpleTestCase):
    """Really commits, because replication and on_commit need that. Each test starts with empty tables on all three servers."""

    databases = "__all__"

    def setUp(self):
        from tests.shop.models import Ad, Category, Label

        with connections["default"].cursor() as cursor:
            cursor.execute("TRUNCATE shop_ad, shop_category, shop_label, shop_ad_labels, shop_note, shop_topic, shop_note_labels, "
                           "shop_place, larder_outbox, django_session RESTART IDENTITY")
        self.boats, self.books = (Category.objects.create(name=name) for name in ("boats", "books"))
        self.ad = Ad.objects.create(title="dinghy", category=self.boats)
        self.label = Label.objects.create(name="used")
        self.ad.labels.add(self.label)
        await_replicas()
