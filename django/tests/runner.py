"""A test runner on the rig's own databases: a test database made by Django would not exist on "replica" aliases alone."""
from django.core.management import call_command
from django.test.runner import DiscoverRunner

from tests.base import await_replicas


class RigRunner(DiscoverRunner):
    def setup_databases(self, **kwargs):
        call_command("migrate", run_syncdb=True, verbosity=0)
        await_replicas()

    def teardown_databases(self, old_config, **kwargs):
        pass
