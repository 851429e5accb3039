"""manage.py seed: the same 200 listings in 10 categories every time, and two users."""
from datetime import datetime, timedelta, timezone
from random import Random

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.core.management.color import no_style
from django.db import connection, transaction

from ads.models import Category, Listing

PASSWORD = "demo"
USERS = ("ada", "grace")
LISTINGS = 200
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
GOODS = {
    "bikes": ["touring bike", "tandem", "cargo bike", "folding bike"],
    "boats": ["dinghy", "canoe", "sea kayak", "inflatable boat"],
    "books": ["atlas", "set of encyclopedias", "cookery book", "first edition"],
    "cameras": ["rangefinder", "enlarger", "tripod", "telephoto lens"],
    "computers": ["home computer", "mechanical keyboard", "plotter", "terminal"],
    "furniture": ["oak table", "rocking chair", "bookcase", "writing desk"],
    "garden": ["greenhouse", "apple press", "wheelbarrow", "beehive"],
    "music": ["upright piano", "cello", "accordion", "valve amplifier"],
    "tools": ["lathe", "set of chisels", "workbench", "bench drill"],
    "toys": ["model railway", "dolls' house", "chess set", "kite"],
}
STATES = ["Barely used", "Well kept", "Needs some work", "As good as new", "From my grandmother"]
TOWNS = ["Ghent", "Turku", "Porto", "Graz", "Leeds", "Lyon", "Bergen", "Gdansk"]


class Command(BaseCommand):
    help = f"Replaces everything by {LISTINGS} listings in {len(GOODS)} categories; users {' and '.join(USERS)}, password {PASSWORD}."

    @transaction.atomic
    def handle(self, *args, **options):
        for model in (Listing, Category, User):
            model.objects.all().delete()
        draw = Random(1)
        sellers = [User.objects.create_user(name, password=PASSWORD) for name in USERS]
        categories = [Category.objects.create(slug=slug, name=slug.capitalize()) for slug in GOODS]
        Listing.objects.bulk_create(self.listing(draw, number, categories, sellers) for number in range(1, LISTINGS + 1))
        self.continue_numbers_after(Listing)
        self.stdout.write(f"{LISTINGS} listings, {len(categories)} categories")

    @staticmethod
    def continue_numbers_after(model):
        """The keys above were given by hand, so the database's own counter still stands at 1."""
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(statement)

    @staticmethod
    def listing(draw, number, categories, sellers):
        category = draw.choice(categories)
        thing, state, town = draw.choice(GOODS[category.slug]), draw.choice(STATES), draw.choice(TOWNS)
        return Listing(pk=number, category=category, seller=draw.choice(sellers), title=f"{thing.capitalize()}, no. {number}",
                       text=f"{state}. To be collected in {town}; I can help carry it to the station.", town=town,
                       price=draw.randrange(5, 900), posted=START + timedelta(hours=number))
