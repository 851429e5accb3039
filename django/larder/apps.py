"""The Django application: installs the system checks and the query observer."""
from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created


class LarderConfig(AppConfig):
    name = "larder"
    verbose_name = "Larder"

    def ready(self):
        from larder.checks import check_settings
        from larder.observer import observe_connection

        checks.register(check_settings, "larder")
        connection_created.connect(observe_connection, dispatch_uid="larder.observer")
