"""Bulk updates that purge. Django sends no signals for bulk updates, so register() doesn't see them."""
from django.db import models, transaction

from larder import conf
from larder.purging import purge
from larder.registration import tags_of


class PurgingMixin:
    """Mixin for the QuerySet of a registered model: `class AdQuerySet(PurgingMixin, models.QuerySet)`."""

    def update_and_purge(self, **values):
        """Calls update(**values), and purges the tags that the changed objects had before and have after. Returns the number of rows.

        It locks the rows and reads every object twice. For millions of rows, use update() and purge one tag that they share."""
        model = self.model
        with transaction.atomic(using=conf.PRIMARY):
            before = list(self.using(conf.PRIMARY).select_for_update(of=("self",)))
            keys = [instance.pk for instance in before]
            changed = model._base_manager.using(conf.PRIMARY).filter(pk__in=keys)
            count = changed.update(**values)
            tags = {tag for instance in (*before, *changed.all()) for tag in tags_of(instance, conf.PRIMARY)}
            purge(sorted(tags, key=str))
        return count


class PurgingQuerySet(PurgingMixin, models.QuerySet):
    """`objects = PurgingQuerySet.as_manager()`"""
