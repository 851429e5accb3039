"""A tiny shop with every kind of relation that purges must follow."""
from django.db import models

import larder
from larder.querysets import PurgingQuerySet


class Category(models.Model):
    name = models.TextField()


@larder.register(tags=lambda label: [f"label:{label.pk}"])
class Label(models.Model):
    name = models.TextField()


class Ad(models.Model):
    title = models.TextField()
    category = models.ForeignKey(Category, models.CASCADE)
    labels = models.ManyToManyField(Label)
    objects = PurgingQuerySet.as_manager()


class Note(models.Model):
    """Not registered, and not related to anything that is."""

    text = models.TextField()
    labels = models.ManyToManyField("Topic")


class Topic(models.Model):
    name = models.TextField()


class Place(models.Model):
    """Registered; its tags contain text that users have typed."""

    town = models.TextField()


larder.register(Place, tags=lambda place: [f"place:{place.pk}", f"town:{place.town}", f"first:{place.town[0]}"])


class AdProxy(Ad):
    class Meta:
        proxy = True


larder.register(Ad, tags=lambda ad: [f"ad:{ad.pk}", f"category:{ad.category_id}"])
