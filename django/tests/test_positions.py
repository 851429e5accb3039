"""Commit positions on real replication: a replica that has replayed one shows what was committed before it."""
import os
import tempfile

from django.db import connections, transaction
from django.test import override_settings

from larder.positions import current_position, end_of_last_record
from larder.test import edge_client
from tests.base import DatabaseCase, answer, await_true, replay_paused, replayed, rig
from tests.shop.models import Ad


class Positions(DatabaseCase):
    def test_format(self):
        self.assertRegex(current_position(), r"^pg1/[1-9]\d+/1/[1-9A-F][0-9A-F]*$")

    def test_none_inside_a_transaction(self):
        with transaction.atomic():
            self.assertEqual(current_position(), "")

    def test_a_replica_that_replayed_it_shows_the_commit(self):
        for i in range(30):
            Ad.objects.filter(pk=self.ad.pk).update(title=f"title {i}")
            position = current_position()
            await_true(lambda: replayed("replica1", position), "replay")
            self.assertEqual(Ad.objects.using("replica1").get(pk=self.ad.pk).title, f"title {i}")

    def test_a_log_that_ends_with_a_page_is_reachable(self):
        """The insert position is then after the next page's header, which no replica reaches before a further record. As a fence it
        would hold up all regenerations while the database is idle."""
        self.fill_page()
        position = current_position()
        self.assertEqual(int(position.rsplit("/", 1)[1], 16) % 8192, 0)
        await_true(lambda: replayed("replica1", position), f"replica1 replays {position}")

    def test_headers_of_pages_and_segments(self):
        page, segment = 0x2000, 0x1000000
        for insert, reachable in [(0x5000028, 0x5000000), (0x5002018, 0x5002000), (0x5002028, 0x5002028),
                                  (0x5002020, 0x5002020), (0x5002000, 0x5002000)]:
            self.assertEqual(end_of_last_record(insert, page, segment), reachable, hex(insert))

    def fill_page(self):
        """Writes records until one ends at a page boundary that is not the end of a segment (whose header is longer)."""
        inserted = "SELECT mod(pg_current_wal_insert_lsn() - '0/0', 8192)::int"
        emitted = "SELECT mod(pg_logical_emit_message(false, 'fill', repeat('x', %s)) - '0/0', 8192)::int"

        def filled():
            connections["default"].cursor().execute("SELECT pg_current_xact_id()")  # its commit flushes the records before it
            before = answer("default", inserted)
            overhead = (answer("default", emitted, [800]) - before) % 8192 - 800
            room = 8192 - answer("default", inserted) - overhead
            if room > 0:
                answer("default", emitted, [room])
            return answer("default", inserted) == 24

        await_true(filled, "a record ends with its page")

    def test_a_replica_that_did_not_is_told_apart(self):
        with replay_paused("replica2"):
            Ad.objects.filter(pk=self.ad.pk).update(title="yacht")
            position = current_position()
            await_true(lambda: replayed("replica1", position), "replay")
            self.assertFalse(replayed("replica2", position))
            self.assertEqual(Ad.objects.using("replica2").get(pk=self.ad.pk).title, "dinghy")

    def test_larder_wrote_covers_the_write(self):
        response = edge_client().get(f"/write/?pk={self.ad.pk}&title=yacht")
        position = response["Larder-Wrote"]
        await_true(lambda: replayed("replica2", position), "replay")
        self.assertEqual(Ad.objects.using("replica2").get(pk=self.ad.pk).title, "yacht")


class Promotion(DatabaseCase):
    def test_timeline_of_a_promoted_replica(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o711)
            values = dict(line.split("=", 1) for line in rig("start", f"{directory}/pg", "--replicas", "1").splitlines())
            try:
                rig("promote", f"{directory}/pg", "r1")
                promoted = connections["default"].copy()
                promoted.settings_dict = {**promoted.settings_dict, "PORT": values["PG_R1_PORT"]}
                original = connections["default"]
                connections["default"] = promoted
                try:
                    self.assertRegex(current_position(), r"^pg1/\d+/2/")
                finally:
                    promoted.close()
                    connections["default"] = original
            finally:
                rig("stop", f"{directory}/pg")
