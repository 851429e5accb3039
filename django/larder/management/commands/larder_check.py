"""manage.py larder_check: checks the LARDER setting against the real servers."""
import socket

from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connections

from larder import conf, outbox
from larder.client import Daemon, DaemonError
from larder.positions import current_position
from larder.signing import Route, verify


class Command(BaseCommand):
    requires_system_checks = []  # handle() runs them, and goes on after errors
    help = "Checks settings, keys, the primary, every replica, and larderd. Exits with 1 if one of them is not as it must be."

    def handle(self, *args, **options):
        self.failures = 0
        for message in run_checks(tags=["larder"]):
            self.report(not message.is_serious(), f"setting {message.id}", message.msg)
        self.examine("key", self.key)
        self.examine(f"primary {conf.PRIMARY}", self.primary)
        for alias in conf.get("REPLICAS"):
            self.examine(f"replica {alias}", self.replica, alias)
        self.examine("larderd", self.daemon)
        if conf.get("OUTBOX"):
            self.examine("outbox", self.outbox)
        if self.failures:
            raise CommandError(f"{self.failures} of the above must be put right")

    def examine(self, name, function, *arguments):
        try:
            self.report(True, name, function(*arguments))
        except (Error, DaemonError, ValueError, LookupError, OSError) as error:
            self.report(False, name, str(error).strip())
        except CommandError as error:
            self.report(False, name, str(error))

    def report(self, good, name, text):
        self.failures += not good
        style = self.style.SUCCESS if good else self.style.ERROR
        self.stdout.write(f"{style('ok  ' if good else 'BAD ')} {name}: {text}")

    def key(self):
        route = Route(conf.PRIMARY)
        if verify(route.signed()) != route:
            raise CommandError("a route signed with LARDER['KEY'] does not verify")
        return f"signs and verifies; {len(conf.get('FALLBACK_KEYS'))} fallback keys"

    def primary(self):
        if self.ask(conf.PRIMARY, "SELECT pg_is_in_recovery()"):
            raise CommandError("is in recovery, so it is a replica")
        return f"at {current_position()}"

    def replica(self, alias):
        if not self.ask(alias, "SELECT pg_is_in_recovery()"):
            raise CommandError("is not in recovery: another primary")
        identity = "SELECT system_identifier FROM pg_control_system()"
        if self.ask(alias, identity) != self.ask(conf.PRIMARY, identity):
            raise CommandError("is a replica of another database")
        behind = self.ask(conf.PRIMARY, "SELECT pg_current_wal_insert_lsn() - %s::pg_lsn",
                          [self.ask(alias, "SELECT pg_last_wal_replay_lsn()::text")])
        return f"replicating, {max(0, int(behind))} bytes behind"

    def ask(self, alias, sql, parameters=None):
        connection = connections[alias]
        if connection.vendor != "postgresql":
            raise CommandError(f"is {connection.vendor}; only PostgreSQL is checked")
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()[0]

    def outbox(self):
        waiting = outbox.waiting()
        return f"{waiting} purges wait for larderd" if waiting else "empty"

    def daemon(self):
        if not conf.get("DAEMON"):
            raise CommandError("LARDER['DAEMON'] is not set")
        # Purges a tag that no entry has. That tests the address, the token and the API.
        answer = Daemon(conf.get("DAEMON"), conf.get("TOKEN"), conf.get("TIMEOUT")).purge(
            tags=[f"larder-check:{socket.gethostname()}"])
        return f"answers, purge sequence {answer.get('sequence')}"
