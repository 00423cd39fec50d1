"""The Django application: its start registers the checks and begins to count hits."""

from __future__ import annotations

from django.apps import AppConfig


class CachecheckConfig(AppConfig):
    """Installed as ``"cachecheck.agent"``."""

    name = "cachecheck.agent"
    label = "cachecheck"
    verbose_name = "cachecheck"

    def ready(self) -> None:
        """Register the system checks; swap in the counting of hits where it is wanted."""
        from cachecheck.agent import checks, conf, counters  # noqa: PLC0415  apps must be ready

        checks.register()
        in_force = conf.load()
        if in_force.is_enabled and in_force.counts_hits:
            counters.install()
