"""Commit positions on real replication: a replica that has replayed one shows what was committed before it."""
import os
import tempfile

from django.db import connections, transaction
from django.test import override_settings

from larder.positions import current_position
from larder.test import edge_client
from tests.base import DatabaseCase, answer, await_true, replay_paused, rig
from tests.shop.models import Ad


def lsn(position):
    number = int(position.rsplit("/", 1)[1], 16)
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


def replayed(alias, position):
    return answer(alias, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [lsn(position)])


class Positions(DatabaseCase):
    def test_format(self):
        self.assertRegex(current_position(), r"^pg1/1/[1-9A-F][0-9A-F]*$")

    def test_none_inside_a_transaction(self):
        with transaction.atomic():
            self.assertEqual(current_position(), "")

    def test_a_replica_that_replayed_it_shows_the_commit(self):
        for i in range(30):
            Ad.objects.filter(pk=self.ad.pk).update(title=f"title {i}")
            position = current_position()
            await_true(lambda: replayed("replica1", position), "replay")
            self.assertEqual(Ad.objects.using("replica1").get(pk=self.ad.pk).title, f"title {i}")

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
                    self.assertRegex(current_position(), r"^pg1/2/")
                finally:
                    promoted.close()
                    connections["default"] = original
            finally:
                rig("stop", f"{directory}/pg")
