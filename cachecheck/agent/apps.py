"""The Django application: its start registers checks, begins to count hits and to relay."""

from __future__ import annotations

import logging

from django.apps import AppConfig

log = logging.getLogger("cachecheck.agent")


class CachecheckConfig(AppConfig):
    """Installed as ``"cachecheck.agent"``."""

    name = "cachecheck.agent"
    label = "cachecheck"
    verbose_name = "cachecheck"

    def ready(self) -> None:
        """Register the system checks; begin to count hits and to relay, where that is wanted.

        Whatever goes wrong with either, the site starts: it is off then.
        """
        from cachecheck.agent import checks, conf, counters, live  # noqa: PLC0415  apps must be ready
        from cachecheck.agent.relay import starting  # noqa: PLC0415

        checks.register()
        try:
            in_force = conf.load()
            if in_force.is_enabled and in_force.counts_hits:
                counters.install()
        except Exception as exc:  # noqa: BLE001  the boundary to the site's start
            log.warning("hits and misses are not counted: %s", type(exc).__name__)
        try:
            if conf.load().is_enabled:
                live.install()
        except Exception as exc:  # noqa: BLE001  the boundary to the site's start
            log.warning("backends of other threads are not known: %s", type(exc).__name__)
        try:
            if conf.load().is_enabled:
                starting.install()
        except Exception as exc:  # noqa: BLE001  the boundary to the site's start
            log.warning("probes are not relayed: %s", type(exc).__name__)
