"""manage.py larder_purge --tag listing:7 --url https://example.org/: purges by hand."""
from django.core.management.base import BaseCommand, CommandError

from larder import conf
from larder.client import Daemon, DaemonError
from larder.headers import checked_tag
from larder.positions import current_position
from larder.purging import MODES


class Command(BaseCommand):
    help = "Marks entries of the edge cache stale (or gone), as of the primary's present position."

    def add_arguments(self, parser):
        parser.add_argument("--tag", action="append", default=[], dest="tags")
        parser.add_argument("--url", action="append", default=[], dest="urls", help="absolute, or a path of LARDER['SITE']")
        parser.add_argument("--mode", choices=MODES, default="soft", help="soft: stale until regenerated; hard: gone")
        parser.add_argument("--no-position", action="store_true",
                            help="don't ask the primary where it stands; replicas may then regenerate older data")

    def handle(self, *args, **options):
        if not options["tags"] and not options["urls"]:
            raise CommandError("nothing to purge: give --tag or --url, each as often as needed")
        if not conf.get("DAEMON"):
            raise CommandError("LARDER['DAEMON'] is not set")
        try:
            tags = [checked_tag(tag) for tag in options["tags"]]
            urls = [self.absolute(url) for url in options["urls"]]
            position = "" if options["no_position"] else current_position()
            daemon = Daemon(conf.get("DAEMON"), conf.get("TOKEN"), conf.get("TIMEOUT"))
            answer = daemon.purge(tags, urls, options["mode"], position)
        except (DaemonError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"purged {answer.get('purged')} tags and URLs, sequence {answer.get('sequence')}"
                          f", position {position or 'none'}")

    @staticmethod
    def absolute(url):
        if "://" in url:
            return url
        if not url.startswith("/") or not conf.get("SITE"):
            raise ValueError(f"{url!r}: must be absolute, or a path with LARDER['SITE'] set")
        return conf.get("SITE").rstrip("/") + url
