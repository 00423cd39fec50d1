"""System checks: settings that are wrong are errors, deployments that are unsafe are warnings."""

from __future__ import annotations

import logging
from contextlib import closing
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks

from cachecheck.agent import builders, conf, loading
from cachecheck.agent.budget import Budget
from cachecheck.agent.caches import backend_for
from cachecheck.agent.relay.starting import why_off
from cachecheck.agent.withholding import PROBE_KEY
from cachecheck.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.agent.backends.base import Backend
    from cachecheck.signing import Keyring

log = logging.getLogger("cachecheck.agent")

_LOOK_SECONDS = 0.05


def register() -> None:
    """Register the checks: those on settings always, those that look at stores for ``--deploy``."""
    checks.register(check_settings, "cachecheck")
    checks.register(check_deployment, "cachecheck", deploy=True)


def check_settings(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Check ``settings.CACHECHECK``, reading no cache."""
    in_force = conf.load()
    return [
        *_unknown(),
        *_unusable(in_force),
        *_secret(in_force),
        *_unloadable(in_force),
        *_relay(in_force),
    ]


def check_deployment(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Check what a production site should not have; looks at one page of keys of each store."""
    in_force = conf.load()
    return [
        warning
        for alias in in_force.caches
        for backend in _makeable(alias)
        for warning in _unsafe(backend, in_force.scopes.get(alias))
    ]


def _makeable(alias: str) -> tuple[Backend, ...]:
    """Give the backend of an alias; one that Django cannot make is not ours to tell of."""
    try:
        return (backend_for(alias),)
    except StoreError:
        return ()


def _unknown() -> Iterator[checks.CheckMessage]:
    raw = getattr(settings, "CACHECHECK", {})
    for name in sorted(set(raw if isinstance(raw, dict) else ()) - conf.KNOWN, key=str):
        yield checks.Error(
            f"CACHECHECK has an unknown setting {name!r}.",
            hint=f"Known are {', '.join(sorted(conf.KNOWN))}.",
            id="cachecheck.E001",
        )


def _unusable(in_force: conf.Conf) -> Iterator[checks.CheckMessage]:
    for problem in in_force.problems:
        make, id_ = (checks.Warning, "W003") if problem.is_unsafe else (checks.Error, "E002")
        yield make(
            f"CACHECHECK[{problem.setting!r}] {problem.message}.",
            hint="The probe endpoint stays shut (404) until this is right.",
            id=f"cachecheck.{id_}",
        )


def _unloadable(in_force: conf.Conf) -> Iterator[checks.CheckMessage]:
    """Import the key builders, which is otherwise done by the first probe."""
    yield from _untrue(in_force)
    for builder in in_force.builders:
        try:
            builders.load(builder)
        except (Exception, SystemExit) as exc:  # noqa: BLE001  the boundary to code of the site's own
            yield checks.Error(
                f"CACHECHECK['KEY_BUILDERS'] {builder.name!r}: {builder.path} cannot be loaded: "
                f"{type(exc).__name__}.",
                hint="Name a function by its dotted path. The keys that it builds are not "
                "compared until this is right.",
                id="cachecheck.E003",
            )


def _untrue(in_force: conf.Conf) -> Iterator[checks.CheckMessage]:
    for truth in in_force.truths:
        try:
            loading.loaded(truth.path)
        except (Exception, SystemExit) as exc:  # noqa: BLE001  the boundary to code of the site's own
            yield checks.Error(
                f"CACHECHECK['TRUTH'] {truth.glob!r}: {truth.path} cannot be loaded: "
                f"{type(exc).__name__}.",
                hint="Name a function by its dotted path. Keys of this pattern are not held "
                "against their source of truth until this is right.",
                id="cachecheck.E003",
            )


def _secret(in_force: conf.Conf) -> Iterator[checks.CheckMessage]:
    if not in_force.is_enabled:
        yield checks.Info(
            "cachecheck is switched off by ENABLED: the probe endpoint answers 404.",
            id="cachecheck.I001",
        )
    elif in_force.keyring is None and not in_force.problems:
        yield checks.Warning(
            "cachecheck has no secret, so the probe endpoint answers 404.",
            hint=f"Set {conf.SECRET_VARIABLE} in the environment or CACHECHECK['SECRET'].",
            id="cachecheck.W001",
        )
    elif in_force.keyring is not None and _equals_secret_key(in_force.keyring):
        yield checks.Warning(
            "CACHECHECK['SECRET'] equals SECRET_KEY.",
            hint="Give cachecheck a secret of its own: coordinators hold it as well.",
            id="cachecheck.W002",
        )


def _relay(in_force: conf.Conf) -> Iterator[checks.CheckMessage]:
    if not (in_force.is_open and in_force.relays):
        return
    reason = why_off(in_force)
    if reason is not None:
        yield checks.Warning(
            f"Workers cannot hand probes on to each other: {reason}.",
            hint="Set CACHECHECK['RELAY'] to a folder that is this user's alone, or to False.",
            id="cachecheck.W007",
        )


def _equals_secret_key(keyring: Keyring) -> bool:
    key = str(settings.SECRET_KEY).encode()
    return any(compare_digest(secret.key, key) for secret in keyring.secrets)


def _unsafe(backend: Backend, declared: str | None) -> Iterator[checks.CheckMessage]:
    if backend.kind == "locmem" and declared != "worker":
        yield checks.Warning(
            f"The cache {backend.alias!r} is a LocMemCache: each worker process has its own.",
            hint="Use a shared cache, or declare CACHECHECK['SCOPES'] = "
            f"{{{backend.alias!r}: 'worker'}} where that is meant.",
            id="cachecheck.W004",
        )
    if backend.kind == "dummy" and declared != "none":
        yield checks.Warning(
            f"The cache {backend.alias!r} is a DummyCache: nothing is cached.",
            hint=f"Declare CACHECHECK['SCOPES'] = {{{backend.alias!r}: 'none'}} where that is "
            "meant.",
            id="cachecheck.W005",
        )
    if backend.scope == "network" and not backend.cache.key_prefix and _has_foreign(backend):
        yield checks.Warning(
            f"The cache {backend.alias!r} has no KEY_PREFIX, and others use its store too.",
            hint="Give each application a KEY_PREFIX or a database of its own: "
            "clear() removes the keys of all.",
            id="cachecheck.W006",
        )


def _has_foreign(backend: Backend) -> bool:
    """Look at one page of keys; a store that cannot be listed gives no warning."""
    try:
        return _shows_foreign(backend)
    except StoreError:
        return False
    except Exception as exc:  # noqa: BLE001  the boundary to a key function of the site's own
        log.warning("cache %s cannot be checked: %s", backend.alias, type(exc).__name__)
        return False


def _shows_foreign(backend: Backend) -> bool:
    namespace = backend.namespace(PROBE_KEY)
    if not namespace.is_reversible:
        return False
    with closing(backend.store()) as store:
        page = store.scan(None, Budget(_LOOK_SECONDS))
    return page.foreign > 0 or any(
        backend.logical_key(stored, namespace) is None for stored in page.keys
    )
