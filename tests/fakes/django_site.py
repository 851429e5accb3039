"""A Django site of one file, for uWSGI: sessions, languages, signed cookies, forms. For tests only.

Every page says which render of its view it is. LARDER_KEY in the environment is LARDER["KEY"].
"""
import collections
import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of tests only",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.sessions", "larder"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    MIDDLEWARE=[
        "larder.middleware.LarderMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    LANGUAGE_CODE="en",
    LANGUAGES=[("en", "English"), ("de", "Deutsch"), ("fr", "Français")],
    LARDER={"KEY": os.environ["LARDER_KEY"], "GROUP": f"{__name__}.role_of"},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.middleware.csrf import rotate_token  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

import larder  # noqa: E402

renders = collections.Counter()


def page(request, text, control="max-age=60"):
    renders[request.path] += 1
    return HttpResponse(f"{text} render {renders[request.path]}", headers={"Cache-Control": control})


def login(request):
    request.session["user"] = request.GET["user"]
    response = HttpResponse("logged in")
    larder.set_signed_cookie(response, "plan", request.GET.get("plan", "free"))
    return response


def logout(request):
    request.session.flush()
    return HttpResponse("logged out")


def me(request):
    return page(request, "page of " + request.session.get("user", "nobody"), "private, max-age=60")


def known(request):
    return page(request, "known" if request.COOKIES.get("sessionid") else "anonymous")


def language(request):
    return page(request, "in " + request.LANGUAGE_CODE)


def plan(request):
    return page(request, "plan " + larder.get_signed_cookie(request, "plan", "none"))


def group(request):
    return page(request, "group " + request.COOKIES.get("ab", "none"))


roles = collections.defaultdict(lambda: "reader")  # of users


def role_of(request):
    user = request.session.get("user")
    return roles[user] if user else ""


def article(request):
    stale = "max-age=0, stale-while-revalidate=60"
    return page(request, "article for " + (larder.group(request) or "nobody"), stale if "stale" in request.GET else "max-age=60")


def groups(request):
    renders[request.path] += 1
    return larder.group_view(request)


def asked(request):
    return HttpResponse(renders["/groups/"])


@csrf_exempt
def promote(request):
    """Of the user who is logged in, or of ?user=NAME: to ?role=ROLE."""
    roles[request.GET.get("user") or request.session["user"]] = request.GET["role"]
    return HttpResponse("promoted")


FORM = engines["django"].from_string(
    "{% load larder %}<form>{% esi_csrf %}</form>{% edge_cookie 'name' 'you' %}, {% edge_cookie 'plan' 'free' signed=True %}")


def form(request):
    renders[request.path] += 1
    response = HttpResponse(FORM.render(request=request) + f" render {renders[request.path]}")
    response["Cache-Control"] = "max-age=60"
    return response


def take(request):
    return HttpResponse("taken from " + request.POST["who"])


def rotate(request):
    """What login() does."""
    rotate_token(request)
    return HttpResponse("rotated")


def answer(request):
    """A page with the headers of ?h=NAME:VALUE, and a session if ?session is there."""
    response = page(request, "answer", "")
    del response["Cache-Control"]
    for header in request.GET.getlist("h"):
        name, _, value = header.partition(":")
        response[name] = value
    if "session" in request.GET:
        request.session["seen"] = renders[request.path]
    return response


urlpatterns = [path(f"{view.__name__}/", view) for view in (answer, login, logout, me, known, language, plan, group, form,
                                                          take, rotate, article, groups, asked, promote)]
application = get_wsgi_application()
