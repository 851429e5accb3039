"""Mistakes in settings are named before they cost anything; larder_check and larder_purge on real servers."""
import contextlib
import io
import os
import random
from unittest import mock

from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connections, models
from django.test import SimpleTestCase, override_settings

from larder.checks import check_settings
from tests.base import DatabaseCase
from tests.daemon import TOKEN, daemon
from tests.settings import DATABASES, LARDER, MIDDLEWARE
from tests.shop.models import Ad

GOOD = {**LARDER, "DAEMON": "unix:/run/larder/api.sock"}


class Checks(SimpleTestCase):
    def assert_finds(self, *identities, larder=None, **other):
        with override_settings(LARDER=GOOD if larder is None else larder, **other):
            self.assertEqual([message.id for message in check_settings()], list(identities))

    def test_good_settings(self):
        self.assert_finds()

    def test_larder_itself(self):
        for identity, change in [
            ("larder.E002", {"REPLICA": []}), ("larder.E003", {"REPLICAS": "replica1"}), ("larder.E003", {"ENABLED": "yes"}),
            ("larder.E004", {"KEY": "short"}), ("larder.E004", {"FALLBACK_KEYS": ["short"]}),
            ("larder.E005", {"KEY": settings.SECRET_KEY}), ("larder.W001", {"DAEMON": ""}),
            ("larder.E006", {"DAEMON": "localhost:1"}), ("larder.W002", {"DAEMON": "http://127.0.0.1:1"}),
            ("larder.E007", {"REPLICAS": ["default"]}), ("larder.E008", {"REPLICAS": ["mars"]}),
            ("larder.E009", {"ALWAYS_PRIMARY": ["sessions", "martians"]}),
            ("larder.E009", {"ALWAYS_PRIMARY": ["sessions", "shop.Martian"]}), ("larder.W003", {"ALWAYS_PRIMARY": []}),
        ]:
            with self.subTest(change):
                self.assert_finds(identity, larder={**GOOD, **change})
        self.assert_finds("larder.E001", larder=["KEY"])
        self.assert_finds(larder={"ENABLED": False})

    def test_deletes_that_the_database_makes_by_itself(self):
        """Django has these since 6.1; with older versions the check has nothing to find."""
        relation = Ad._meta.get_field("category").remote_field
        with mock.patch.object(models, "DB_CASCADE", object(), create=True), mock.patch.object(relation, "on_delete", None):
            self.assert_finds()
            relation.on_delete = models.DB_CASCADE
            self.assert_finds("larder.W006")

    def test_neighbouring_settings(self):
        self.assert_finds("larder.E010", MIDDLEWARE=MIDDLEWARE[1:])
        self.assert_finds("larder.W004", MIDDLEWARE=MIDDLEWARE[::-1])
        self.assert_finds("larder.E011", DATABASE_ROUTERS=[])

    def test_the_order_of_routers(self):
        ours, at_random, elsewhere, other = ("larder.routers.LarderRouter", *(
            f"tests.test_settings.{name}" for name in ("AtRandom", "Elsewhere", "Other")))
        for routers, found in [([ours], []), ([ours, at_random], []), ([elsewhere, ours, at_random], []), ([other, ours, other], []),
                               ([at_random, ours], ["larder.E013"]), ([elsewhere, at_random, ours], ["larder.E013"]),
                               ([ours, elsewhere], ["larder.E014"]), ([at_random], ["larder.E011"])]:
            with self.subTest(routers):
                self.assert_finds(*found, DATABASE_ROUTERS=routers)
        self.assert_finds("larder.E015", larder={**GOOD, "LIVE": "replica"})


class Other:
    """A router that leaves all decisions to others."""


class AtRandom:
    """The example router of Django's documentation."""

    def db_for_read(self, model, **hints):
        return random.choice(["default", "replica1", "replica2"])


class Elsewhere:
    """A router of models that live in another database."""

    def db_for_read(self, model, **hints):
        return "elsewhere" if model._meta.label == "shop.Label" else None


class Commands(DatabaseCase):
    def run_command(self, *arguments):
        """Runs manage.py, which also runs Django's checks. Returns its output, including errors."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), contextlib.suppress(SystemExit):
            execute_from_command_line(["manage.py", *arguments, "--no-color"])
        return output.getvalue()

    def test_check_finds_everything_well(self):
        with daemon() as server, override_settings(LARDER={**GOOD, "DAEMON": server.url, "TOKEN": TOKEN}):
            report = self.run_command("larder_check")
        self.assertNotIn("BAD", report)
        self.assertRegex(report, r"ok   primary default: at pg1/\d+/1/[0-9A-F]+\n")
        self.assertRegex(report, r"ok   replica replica2: replicating, \d+ bytes behind\n")
        self.assertIn("purge sequence 7", report)

    def test_check_names_what_is_wrong(self):
        changed = {**DATABASES["replica1"], "PORT": DATABASES["default"]["PORT"]}
        original = connections["replica1"].settings_dict
        connections["replica1"].close()
        connections["replica1"].settings_dict = {**original, **changed}
        try:
            report = self.run_command("larder_check")
        finally:
            connections["replica1"].close()
            connections["replica1"].settings_dict = original
        self.assertIn("BAD  replica replica1: is not in recovery: another primary", report)
        self.assertIn("BAD  larderd: LARDER['DAEMON'] is not set", report)
        self.assertIn("CommandError: 2 of the above must be put right", report)

    def test_purge(self):
        with daemon() as server:
            with override_settings(LARDER={**GOOD, "DAEMON": server.url, "SITE": "https://example.org"}):
                report = self.run_command("larder_purge", "--tag", "a", "--url", "/x", "--mode", "hard")
            (path, token, body), = server.calls
        self.assertRegex(body.pop("position"), r"^pg1/\d+/1/")
        self.assertEqual(body, {"tags": ["a"], "urls": ["https://example.org/x"], "mode": "hard"})
        self.assertIn("purged 2 tags and URLs, sequence 7", report)

    def test_purge_refuses(self):
        for arguments, text in [((), "nothing to purge"), (("--tag", ""), "a purge tag is empty"),
                                (("--url", "/x"), "LARDER['SITE']"), (("--tag", "a"), "larderd at unix:")]:
            with self.subTest(arguments), override_settings(LARDER={**GOOD, "DAEMON": "unix:/nonexistent/sock"}):
                self.assertIn(text, self.run_command("larder_purge", *arguments))


class Rig(SimpleTestCase):
    def test_settings_are_the_rigs(self):
        """No test may ever use a database other than the rig's."""
        ports = {os.environ[f"PG_{node}_PORT"] for node in ("PRIMARY", "R1", "R2")}
        self.assertEqual({database["PORT"] for database in DATABASES.values()}, ports)
