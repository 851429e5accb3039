"""The Django application. Installs the system checks, the query observer and the signal receivers of registered models."""
from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created


class LarderConfig(AppConfig):
    name = "larder"
    verbose_name = "Larder"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from larder.checks import check_settings
        from larder.observer import observe_connection
        from larder.registration import connect_receivers

        checks.register(check_settings, "larder")
        connection_created.connect(observe_connection, dispatch_uid="larder.observer")
        connect_receivers()
