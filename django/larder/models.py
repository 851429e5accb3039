"""Purges that larderd has yet to take."""
from django.db import models


class WaitingPurge(models.Model):
    """One call. Written where larderd can't be reached, deleted once it has taken it: larder.outbox."""

    kept_at = models.DateTimeField(auto_now_add=True)
    call = models.TextField()  # JSON: the arguments of Daemon.purge

    class Meta:
        db_table = "larder_outbox"
