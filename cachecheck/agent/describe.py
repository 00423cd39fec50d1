"""What this worker is and sees: for ``describe`` and for ``manage.py cachecheck``."""

from __future__ import annotations

import logging
import platform
from contextlib import closing
from importlib import metadata
from typing import TYPE_CHECKING

import django
from django.core.cache import caches

from cachecheck import __version__
from cachecheck.agent import counters
from cachecheck.agent.caches import backend_for
from cachecheck.agent.worker import count_siblings
from cachecheck.errors import StoreError
from cachecheck.model import (
    CacheDescription,
    Capabilities,
    Namespace,
    StoreIdentity,
    Versions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Counters, Scope
    from cachecheck.stores.base import Store
    from cachecheck.wire import ExpectedBy

log = logging.getLogger("cachecheck.agent")

PICKLE_PROTOCOL = 5  # django.core.cache writes pickle.HIGHEST_PROTOCOL, which is this since 3.8
_CLIENTS = ("redis", "django-redis", "pymemcache", "hiredis")


def versions() -> Versions:
    """Give the versions that decide whether one worker can read what another wrote."""
    return Versions(
        python=platform.python_version(),
        django=django.get_version(),
        agent=__version__,
        pickle_protocol=PICKLE_PROTOCOL,
        clients=tuple(
            (name, version) for name in _CLIENTS if (version := _installed(name)) is not None
        ),
    )


def expected_workers(conf: Conf) -> tuple[int | None, ExpectedBy]:
    """Say how many workers this node should have, and how that is known."""
    if conf.expected_workers is not None:
        return conf.expected_workers, "configured"
    counted = count_siblings()
    return (counted, "siblings") if counted is not None else (None, "unknown")


def describe_caches(conf: Conf, probe_keys: Sequence[str]) -> tuple[CacheDescription, ...]:
    """Describe every alias that may be probed; one that fails is described as failing."""
    return tuple(
        _describe_guarded(alias, conf.scopes.get(alias), probe_keys) for alias in conf.caches
    )


def _describe_guarded(
    alias: str, declared: Scope | None, probe_keys: Sequence[str]
) -> CacheDescription:
    try:
        return _describe(backend_for(alias), declared, probe_keys)
    except Exception as exc:  # noqa: BLE001  the boundary to backends of the site's own making
        log.warning("cache %s cannot be described: %s", alias, type(exc).__name__)
        return _broken(alias, declared, f"{type(exc).__name__} while looking at the backend")


def _describe(
    backend: Backend, declared: Scope | None, probe_keys: Sequence[str]
) -> CacheDescription:
    cache = backend.cache
    with closing(backend.store()) as store:
        identity, capabilities, server = _observe(backend, store)
    counted = counters.snapshot(backend.alias)
    return CacheDescription(
        alias=backend.alias,
        backend=f"{type(cache).__module__}.{type(cache).__qualname__}",
        kind=backend.kind,
        scope=backend.scope,
        declared_scope=declared,
        identity=identity,
        capabilities=capabilities,
        namespace=backend.namespace(probe_keys[0]),
        timeout=cache.default_timeout,
        settings=backend.settings(),
        codec=backend.codec(),
        routing=backend.routing(probe_keys),
        is_counting=counted is not None,
        counters=counted or server,
    )


def _observe(backend: Backend, store: Store) -> tuple[StoreIdentity, Capabilities, Counters | None]:
    try:
        return store.identity(), store.capabilities(), backend.server_counters(store)
    except StoreError as exc:
        return _unobserved(exc.reason), _incapable(exc.reason), None


def _broken(alias: str, declared: Scope | None, reason: str) -> CacheDescription:
    return CacheDescription(
        alias=alias,
        backend=str(caches.settings[alias].get("BACKEND", "")),
        kind="unsupported",
        scope="network",
        declared_scope=declared,
        identity=_unobserved(reason),
        capabilities=_incapable(reason),
        namespace=Namespace(prefix="", version="", stored_probe="", form=None, is_reversible=False),
        timeout=None,
    )


def _unobserved(reason: str) -> StoreIdentity:
    return StoreIdentity(grade="unobserved", reason=reason)


def _incapable(reason: str) -> Capabilities:
    return Capabilities(can_scan=False, can_read=False, reasons=(reason,))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
