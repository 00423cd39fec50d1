"""The site's pages: the probe endpoint, and the site's own use of its caches."""

from django.urls import include, path

from harness.site import views

urlpatterns = [
    path("cachecheck/", include("cachecheck.agent.urls")),
    path("app/cache", views.cache),
    path("app/pid", views.pid),
]
handler404 = "harness.site.views.not_found"
