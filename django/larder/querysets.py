"""Bulk writes that purge: Django sends no signals for them."""
from django.db import models, transaction

from larder import conf
from larder.purging import purge
from larder.registration import tags_of


class PurgingMixin:
    """For a QuerySet of a registered model: `class AdQuerySet(PurgingMixin, models.QuerySet)`."""

    def update_and_purge(self, **values):
        """update(**values), then purge the tags that each changed object had before and has after. Returns the count.

        The rows are locked meanwhile; every object is read twice, so for millions of rows purge one wide tag instead."""
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
