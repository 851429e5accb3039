"""URLs of the test site."""
from django.urls import path

from tests.shop import views

urlpatterns = [
    path("ask/", views.ask),
    path("ask-async/", views.ask_async),
    path("purge-async/", views.purge_async),
    path("ad/<int:pk>/", views.ad),
    path("page/", views.page),
    path("lazy-page/", views.lazy_page),
    path("async-page/", views.async_page),
    path("fragment/<str:name>/", views.fragment, name="fragment"),
    path("async-fragment/", views.async_fragment, name="async-fragment"),
    path("private/", views.private, name="private"),
    path("token-fragment/", views.token_fragment, name="token-fragment"),
    path("form/", views.form),
    path("missing/", views.missing, name="missing"),
    path("broken/", views.broken, name="broken"),
    path("with-cookie/", views.with_cookie),
    path("everybody/", views.everybody),
    path("write/", views.write),
    path("log-in/", views.log_in),
    path("place/", views.place),
]
