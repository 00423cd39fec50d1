"""The agent's one address, to be included under a path of the site.

``path("cachecheck/", include("cachecheck.agent.urls"))``
"""

from __future__ import annotations

from django.urls import path

from cachecheck.agent.views import probe

app_name = "cachecheck"
urlpatterns = [path("probe", probe, name="probe")]
