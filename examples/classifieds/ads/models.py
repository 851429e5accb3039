"""Categories and their listings."""
from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

import larder


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=40)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


# An edit concerns the listing's own page and its teaser, wherever that is included. Pages that list teasers change only
# when a listing comes or moves: the views purge those tags.
@larder.register(tags=lambda listing: [f"listing:{listing.pk}"])
class Listing(models.Model):
    category = models.ForeignKey(Category, models.CASCADE)
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    title = models.CharField(max_length=80)
    text = models.TextField(max_length=2000)
    price = models.PositiveIntegerField(help_text="in euros")
    town = models.CharField(max_length=40)
    posted = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-posted", "-pk"]
        indexes = [models.Index(fields=["-posted", "-id"], name="listing_newest")]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("listing", args=[self.pk])
