"""The pages of the shop, and the agent."""

from __future__ import annotations

from django.urls import include, path

from cachecheck.demo.site.views import front

urlpatterns = [
    path("", front),
    path("cachecheck/", include("cachecheck.agent.urls")),
]
