"""Pages and their parts. Each says how long the edge may keep it, and under which tags."""
from pathlib import Path

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db import connections, router
from django.db.models import Count
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

import larder
from ads import rendered
from ads.forms import ListingForm
from ads.models import Category, Listing

HOUR, DAY = 3600, 86400
TEASERS = 12


@larder.edge_cache(10, stale=HOUR, error=DAY, tags=["front"])
def home(request):
    newest = Listing.objects.values_list("pk", flat=True)[:TEASERS]
    return render(request, "ads/home.html", {"teasers": list(newest)})


@larder.edge_cache(30, stale=HOUR, error=DAY, tags=lambda request, slug: [f"category:{slug}"])
def category(request, slug):
    shown = get_object_or_404(Category, slug=slug)
    newest = shown.listing_set.values_list("pk", flat=True)[:TEASERS]
    return render(request, "ads/category.html", {"category": shown, "teasers": list(newest)})


@larder.edge_cache(60, stale=HOUR, error=DAY, tags=lambda request, pk: [f"listing:{pk}"])
def listing(request, pk):
    shown = get_object_or_404(Listing.objects.select_related("category", "seller"), pk=pk)
    return render(request, "ads/listing.html", {"listing": shown})


@larder.edge_cache(60, stale=HOUR, error=DAY, tags=lambda request, pk: [f"listing:{pk}"])
def teaser(request, pk):
    return render(request, "ads/teaser.html", {"listing": get_object_or_404(Listing, pk=pk)})


@larder.edge_cache(300, stale=DAY, error=DAY, tags=["navigation"])
def navigation(request):
    categories = Category.objects.annotate(listings=Count("listing")).order_by("name")
    return render(request, "ads/navigation.html", {"categories": categories})


@larder.edge_cache(300, stale=DAY, error=DAY)
def _nobody(request):
    return render(request, "ads/visitor.html")


@larder.never_edge
def _somebody(request):
    return render(request, "ads/visitor.html", {"visitor": request.user})


def visitor(request):
    """Who has no session cookie is nobody, and all nobodies share one answer. Whoever has one gets an answer of their own."""
    return (_somebody if settings.SESSION_COOKIE_NAME in request.COOKIES else _nobody)(request)


@larder.never_edge
@login_required
def post(request):
    form = ListingForm(request.POST or None)
    if not form.is_valid():
        return render(request, "ads/form.html", {"form": form, "verb": "Post"})
    new = form.save(commit=False)
    new.seller = request.user
    new.save()
    larder.purge(tags=["front", "navigation", f"category:{new.category.slug}"])
    return redirect(new)


@larder.never_edge
@login_required
def edit(request, pk):
    with larder.use_primary():  # a form shows what is stored, not what a replica still believes
        edited = get_object_or_404(Listing.objects.select_related("category"), pk=pk)
    before = edited.category.slug
    form = ListingForm(request.POST or None, instance=edited)
    if not form.is_valid():
        return render(request, "ads/form.html", {"form": form, "verb": "Save", "listing": edited})
    form.save()
    if edited.category.slug != before:
        larder.purge(tags=["navigation", f"category:{before}", f"category:{edited.category.slug}"])
    return redirect(edited)


@larder.never_edge
def log_out(request):
    if request.method != "POST":
        return render(request, "ads/logout.html")
    logout(request)
    return redirect("home")


@larder.edge_cache(5, stale=HOUR, error=DAY, tags=["slow"])
def slow(request):
    with connections[router.db_for_read(Listing) or "default"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(1)")
    return render(request, "ads/slow.html")


@larder.edge_cache(HOUR, stale=DAY, error=DAY)
def style(request):
    return HttpResponse((Path(__file__).parent / "style.css").read_text(), content_type="text/css; charset=utf-8")


@larder.never_edge
def healthz(request):
    return HttpResponse("ok\n", content_type="text/plain")


@larder.never_edge
def stats(request):
    return JsonResponse(rendered.counts())
