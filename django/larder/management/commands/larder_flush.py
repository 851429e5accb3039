"""manage.py larder_flush: sends the purges in the outbox, kept while larderd could not be reached."""
from django.core.management.base import BaseCommand, CommandError

from larder import conf, outbox
from larder.client import DaemonError


class Command(BaseCommand):
    help = "Sends the purges that were kept while larderd could not be reached. For a timer, where a site's processes are short-lived."

    def handle(self, *args, **options):
        if not conf.get("DAEMON"):
            raise CommandError("LARDER['DAEMON'] is not set")
        try:
            sent = outbox.flush()
        except (DaemonError, ValueError) as error:
            raise CommandError(f"{outbox.waiting()} purges are still kept: {error}") from error
        self.stdout.write(f"sent {sent} purges that were kept")
