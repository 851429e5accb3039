"""The outbox: purges that larderd has not taken yet."""
from django.db import models


class WaitingPurge(models.Model):
    """One call of larderd's purge API. larder.outbox creates it when larderd can't be reached, and deletes it when larderd has taken
    it."""

    kept_at = models.DateTimeField(auto_now_add=True)
    call = models.TextField()  # JSON: the arguments of Daemon.purge

    class Meta:
        db_table = "larder_outbox"
