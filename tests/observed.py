"""Builders of observations: a healthy fleet in few words, in which a test plants one fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.model import (
    CacheDescription,
    Capabilities,
    Namespace,
    StoreIdentity,
    Versions,
    Worker,
)
from cachecheck.rules.observations import (
    Clock,
    Fleet,
    ObservedNode,
    ObservedWorker,
    SharedStore,
    StoreMap,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachecheck.model import Finding, Scope

NOW = 1_800_000_000.0
HOUR = 3600.0
PROBE_KEY = "probe-4711"

CLASSES = {
    "redis": "django.core.cache.backends.redis.RedisCache",
    "locmem": "django.core.cache.backends.locmem.LocMemCache",
    "dummy": "django.core.cache.backends.dummy.DummyCache",
    "memcached": "django.core.cache.backends.memcached.PyMemcacheCache",
    "file": "django.core.cache.backends.filebased.FileBasedCache",
}
SCOPES: dict[str, Scope] = {"locmem": "worker", "dummy": "none", "file": "host"}
VERSIONS = Versions(
    python="3.12.4",
    django="6.1.3",
    agent="0.1.0",
    pickle_protocol=5,
    clients=(("redis", "8.1.0"),),
)


def namespace(
    prefix: str = "shop", version: str = "1", stored_probe: str | None = None
) -> Namespace:
    made = f"{prefix}:{version}:{PROBE_KEY}" if stored_probe is None else stored_probe
    is_reversible = PROBE_KEY in made
    return Namespace(
        prefix=prefix,
        version=version,
        stored_probe=made,
        form=made.replace(PROBE_KEY, "{key}") if is_reversible else None,
        is_reversible=is_reversible,
    )


def cache(alias: str = "default", kind: str = "redis", **changed: Any) -> CacheDescription:
    """Describe an alias; anything else than its kind is given by name."""
    described = CacheDescription(
        alias=alias,
        backend=CLASSES.get(kind, "site.caches.OwnCache"),
        kind=kind,
        scope=SCOPES.get(kind, "network"),
        declared_scope=None,
        identity=StoreIdentity(grade="none" if kind == "dummy" else "observed", token="one"),
        capabilities=Capabilities(can_scan=True, can_read=True),
        namespace=namespace(),
        timeout=300,
    )
    return msgspec.structs.replace(described, **changed)


def unseen_cache(alias: str = "default") -> CacheDescription:
    """Describe an alias as the agent does where its backend raised."""
    return cache(
        alias,
        "unsupported",
        namespace=Namespace(prefix="", version="", stored_probe="", form=None, is_reversible=False),
        timeout=None,
    )


def worker(
    node_name: str = "web-1",
    pid: int = 1,
    caches: tuple[CacheDescription, ...] | None = None,
    *,
    application: str = "shop",
    release: str | None = "r1",
    versions: Versions = VERSIONS,
    age_seconds: float = HOUR,
    **identity: Any,
) -> ObservedWorker:
    """Observe a worker; ``identity`` overrides fields of its ``Worker``."""
    who: dict[str, Any] = {
        "id": f"{node_name}:{pid}:{NOW - age_seconds}:cafe",
        "host": node_name,
        "host_id": f"id-of-{node_name}",
        "pid": pid,
        "started_at": NOW - age_seconds,
        "role": "web",
        "parent": f"{node_name}:1:100",
        "listener": "0.0.0.0:8000",
    }
    return ObservedWorker(
        label=f"{node_name}:{pid}",
        node=node_name,
        worker=Worker(**(who | identity)),
        application=application,
        release=release,
        versions=versions,
        caches=(cache(),) if caches is None else caches,
    )


def node(name: str, workers: Iterable[ObservedWorker] = (), **changed: Any) -> ObservedNode:
    """Observe a node that answered, all of whose web workers were heard."""
    heard = tuple(workers)
    observed = ObservedNode(
        name=name,
        url=f"http://{name}:8000/cachecheck/",
        state="answered",
        clock=Clock(offset_seconds=0.001, uncertainty_seconds=0.002, rtt_seconds=0.004),
        workers=heard,
        workers_expected=sum(one.worker.role == "web" for one in heard),
        own_names=(name,),
    )
    return msgspec.structs.replace(observed, **changed)


def web(name: str, *caches: CacheDescription, workers: int = 1, **changed: Any) -> ObservedNode:
    """Observe a node of equal workers; ``changed`` goes to each of them."""
    pids = range(1, workers + 1)
    return node(name, [worker(name, pid, caches or None, **changed) for pid in pids])


def fleet(*nodes: ObservedNode) -> Fleet:
    return Fleet(nodes=nodes, now=NOW)


def healthy(nodes: int = 3, workers: int = 2) -> Fleet:
    """Observe a fleet on one shared store in which nothing differs."""
    return fleet(*(web(f"web-{number}", workers=workers) for number in range(1, nodes + 1)))


def store_map(
    *stores: Iterable[ObservedWorker],
    alias: str = "default",
    kind: str = "memcached",
    application: str = "shop",
    **store: Any,
) -> StoreMap:
    """Map the workers of each argument to a store of their own; several are a split."""
    shared = [
        SharedStore(
            id=f"s{number}",
            kind=kind,
            **{
                "scope": "network",
                "identity": "confirmed",
                "address": f"10.0.0.{number}:11211",
                **store,
            },
            views=tuple(View(node=one.node, worker=one.label, cache=alias) for one in workers),
        )
        for number, workers in enumerate(stores, start=1)
    ]
    return StoreMap(
        cache=alias, application=application, stores=tuple(shared), is_split=len(shared) > 1
    )


def codes(findings: Iterable[Finding]) -> list[str]:
    return [one.code for one in findings]


def grouped(finding: Finding) -> dict[str | None, tuple[str, ...]]:
    """Give the views of each group by what they agree on."""
    return {group.value: group.views for group in finding.groups}
