"""A test runner that uses the rig's databases as they are: Django can't create a test database on the replicas."""
from django.core.management import call_command
from django.test.runner import DiscoverRunner

from tests.base import await_replicas


class RigRunner(DiscoverRunner):
    def setup_databases(self, **kwargs):
        call_command("migrate", run_syncdb=True, verbosity=0)
        await_replicas()

    def teardown_databases(self, old_config, **kwargs):
        pass
