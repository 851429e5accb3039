"""Views of the test site. `ask` calls the function that the test has put into `script`."""
from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import Http404, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.response import TemplateResponse

import larder
from tests.shop.models import Ad, Place

script = {}


def ask(request):
    return HttpResponse(str(script["run"](request)))


async def ask_async(request):
    return HttpResponse(str(await sync_to_async(script["run"])(request)))


async def purge_async(request):
    larder.purge(tags=["from-async"])
    return HttpResponse("ok")


@larder.edge_cache(60, stale=30, error=600, tags=lambda request, pk: [f"ad:{pk}"])
def ad(request, pk):
    return HttpResponse(Ad.objects.get(pk=pk).title)


@larder.edge_cache(60)
def page(request):
    return render(request, request.GET.get("template", "page.html"))


@larder.edge_cache(60, everybody=True)
def everybody(request):
    """What it is, by ?is=."""
    kind = request.GET.get("is")
    if kind == "page":
        return render(request, "page.html")
    response = HttpResponse("hello", status=500 if kind == "broken" else 200)
    if kind == "personal":
        response.set_cookie("seen", "1")
    return response


@larder.edge_cache(60)
def lazy_page(request):
    return TemplateResponse(request, "page.html")


async def async_page(request):
    return render(request, "async_page.html")


@larder.edge_cache(20, stale=5, tags=["nav"])
def fragment(request, name):
    return HttpResponse(f"<b>{name} {request.GET.get('q', '')}</b>")


@larder.edge_cache(20, tags=["async-fragment"])
async def async_fragment(request):
    return HttpResponse("<i>async</i>")


@larder.never_edge
def private(request):
    return HttpResponse("for you")


@larder.edge_cache(60)
def form(request):
    return render(request, "form.html") if request.method == "GET" else HttpResponse("taken")


def token_fragment(request):
    return HttpResponse(get_token(request))


@larder.edge_cache(60)
def missing(request):
    larder.add_tags("looked-for")
    raise Http404


@larder.edge_cache(60)
def broken(request):
    return HttpResponse("no", status=500)


@larder.edge_cache(60)
def with_cookie(request):
    response = HttpResponse("hello")
    response.set_cookie("seen", "1")
    return response


def write(request):
    with transaction.atomic():
        Ad.objects.filter(pk=request.GET["pk"]).update(title=request.GET["title"])
        larder.purge(tags=[f"ad:{request.GET['pk']}"], urls=["/"])
        larder.purge(tags=["front"])
    return HttpResponse("written")


def log_in(request):
    request.session["who"] = "ada"
    return HttpResponse("welcome")


@larder.edge_cache(60, tags=lambda request: [f"town:{request.GET['town']}"])
def place(request):
    if request.method == "POST":
        Place.objects.create(town=request.GET["town"])
    return HttpResponse("place")
