"""What this worker is and sees: for ``describe`` and for ``manage.py cachecheck``."""

from __future__ import annotations

import logging
import pickle
import platform
import time
from contextlib import closing
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

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
    Failed,
    Namespace,
    StoreIdentity,
    Versions,
)
from cachecheck.stores.failures import CREDENTIALS_REFUSED
from cachecheck.stores.readings import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import ExpectedBy, Member, Scope, ServerCounters
    from cachecheck.stores.base import Store

log = logging.getLogger("cachecheck.agent")

MAX_SECONDS = 4.0

LIBRARIES = {
    "brotli": "brotli",
    "lz4": "lz4",
    "lzma": "_lzma",  # lzma itself is there without it, and cannot be imported
    "msgpack": "msgpack",
    "orjson": "orjson",
    "pyzstd": "pyzstd",
    "zstandard": "zstandard",
}
"""What codecs take that not every machine has, and the module by which that is seen."""

_CLIENTS = (
    "redis",
    "django-redis",
    "pymemcache",
    "hiredis",
    "pylibmc",
    "django-valkey",
    "valkey",
    "diskcache",
)


class Observed(NamedTuple):
    """What asking the store brought."""

    identity: StoreIdentity
    capabilities: Capabilities
    counters: ServerCounters | None = None
    failing: str | None = None
    members: tuple[Member, ...] = ()


def versions() -> Versions:
    """Give the versions that decide whether one worker can read what another wrote."""
    return Versions(
        python=platform.python_version(),
        django=django.get_version(),
        agent=__version__,
        pickle_protocol=pickle.HIGHEST_PROTOCOL,
        clients=tuple(
            (name, version) for name in _CLIENTS if (version := _installed(name)) is not None
        ),
        libraries=tuple(name for name, module in LIBRARIES.items() if _can_be_imported(module)),
    )


def expected_workers(conf: Conf) -> tuple[int | None, ExpectedBy]:
    """Say how many workers this node should have, and how that is known."""
    if conf.expected_workers is not None:
        return conf.expected_workers, "configured"
    counted = count_siblings()
    return (counted, "siblings") if counted is not None else (None, "unknown")


def describe_caches(
    conf: Conf, probe_keys: Sequence[str], clock: Callable[[], float] = time.monotonic
) -> tuple[CacheDescription, ...]:
    """Describe every alias that may be probed; one that fails is described as failing.

    Stores are asked for ``MAX_SECONDS``: those of the aliases after that are not asked at all. The
    one that is being asked then may take as long as its own timeouts allow.
    """
    started_at = clock()
    return tuple(
        _describe_guarded(alias, conf, probe_keys, _lateness(clock() - started_at))
        for alias in conf.caches
    )


def _lateness(spent_seconds: float) -> str | None:
    if spent_seconds < MAX_SECONDS:
        return None
    return f"out of time: earlier caches took {spent_seconds:.1f} s"


def _describe_guarded(
    alias: str, conf: Conf, probe_keys: Sequence[str], lateness: str | None
) -> CacheDescription:
    try:
        return _describe(backend_for(alias), conf, probe_keys, lateness)
    except Exception as exc:  # noqa: BLE001  the boundary to backends of the site's own making
        log.warning("cache %s cannot be described: %s", alias, type(exc).__name__)
        return _broken(
            alias, conf.scopes.get(alias), f"{type(exc).__name__} while looking at the backend"
        )


def _describe(
    backend: Backend, conf: Conf, probe_keys: Sequence[str], lateness: str | None
) -> CacheDescription:
    cache = backend.cache
    seen = _observe(backend, probe_keys) if lateness is None else _unasked(lateness)
    counted = counters.snapshot(backend.alias, conf.withholds)
    return CacheDescription(
        alias=backend.alias,
        backend=f"{type(cache).__module__}.{type(cache).__qualname__}",
        kind=backend.kind,
        scope=backend.scope,
        declared_scope=conf.scopes.get(backend.alias),
        identity=seen.identity,
        capabilities=seen.capabilities,
        namespace=backend.namespace(probe_keys[0]),
        timeout=cache.default_timeout,
        settings=backend.settings(),
        codec=backend.codec(),
        routing=backend.routing(probe_keys),
        routing_unknown=backend.routing_unknown(),
        dead_servers=backend.dead_servers(),
        pickle_protocol=backend.pickle_protocol(),
        needs=backend.needs(),
        failing=seen.failing,
        hides_errors=backend.hides_errors(),
        members=seen.members,
        is_counting=counted is not None,
        counters=counted,
        server_counters=seen.counters,
    )


def _observe(backend: Backend, probe_keys: Sequence[str]) -> Observed:
    with closing(backend.store()) as store:
        try:
            identity, capabilities = store.identity(), store.capabilities()
            return Observed(
                identity=identity,
                capabilities=capabilities,
                counters=backend.server_counters(store),
                failing=_failing(backend, store, identity, probe_keys),
                members=backend.members(store) if capabilities.can_read else (),
            )
        except StoreError as exc:
            return _unasked(exc.reason)


def _failing(
    backend: Backend, store: Store, identity: StoreIdentity, probe_keys: Sequence[str]
) -> str | None:
    """Say why the store does not answer; None: it does, or it is none that can be asked.

    Whoever told its identity has answered. Else keys are read that are not there: a server may keep
    to itself who it is and serve the site all the same. Where there are several servers, none of
    them answers.
    """
    if identity.grade in {"observed", "suggested", "none"} and backend.is_asked_for_identity:
        return None
    stored = [backend.stored_key(key) for key in probe_keys]
    readings = tuple(guarded(store.read(stored, lambda: True), len(stored)))
    details = [
        reading.detail
        for reading in readings
        if isinstance(reading, Failed)
        and (reading.reason in {"unreachable", "error"} or reading.detail == CREDENTIALS_REFUSED)
    ]
    return details[0] if details and len(details) == len(readings) else None


def _unasked(reason: str) -> Observed:
    return Observed(identity=_unobserved(reason), capabilities=_incapable(reason))


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


def _can_be_imported(module: str) -> bool:
    """Say whether a module is there, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a site may have put anything into sys.modules
        return False


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
