"""Addresses of the site. What the edge includes into pages lies under /part/."""
from django.contrib.auth import views as auth
from django.urls import path

from ads import views
from larder import edge_cache

urlpatterns = [
    path("", views.home, name="home"),
    path("category/<slug:slug>/", views.category, name="category"),
    path("listing/<int:pk>/", views.listing, name="listing"),
    path("listing/<int:pk>/edit/", views.edit, name="edit"),
    path("post/", views.post, name="post"),
    path("slow/", views.slow, name="slow"),
    path("part/navigation/", views.navigation, name="navigation"),
    path("part/visitor/", views.visitor, name="visitor"),
    path("part/teaser/<int:pk>/", views.teaser, name="teaser"),
    path("login/", edge_cache(60, stale=views.HOUR)(auth.LoginView.as_view(template_name="ads/login.html")), name="login"),
    path("logout/", views.log_out, name="logout"),
    path("style.css", views.style, name="style"),
    path("healthz", views.healthz),
    path("stats/", views.stats),
]
