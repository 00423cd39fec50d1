"""Describe a store that is read directly, and read keys of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from cachecheck import __version__
from cachecheck.errors import InertUnreadable, StoreError
from cachecheck.inert import TreeWanted
from cachecheck.inert.sensitive import is_sensitive
from cachecheck.model import CacheDescription, Namespace, Value, Versions, Worker
from cachecheck.stores.direct.asking import Several, raise_unreached
from cachecheck.stores.direct.cluster import ClusterStore
from cachecheck.stores.direct.spec import shown_host
from cachecheck.stores.namespaces import KEY, stored_key
from cachecheck.stores.readings import Reader, Telling, guarded, pickled_integer
from cachecheck.wire import Described, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.stores.base import Pace, Store, Stored
    from cachecheck.stores.direct.spec import StoreSpec
    from cachecheck.wire import Describe, Read

CODEC_UNKNOWN = "not a pickle: read directly, its codec is not known"

_PICKLE = b"\x80"
_MEMCACHED_PICKLE = 1
_MEMCACHED_INTEGERS = frozenset({2, 4})  # of python-memcached, pymemcache and pylibmc alike


class _Times(TypedDict):
    worker: Worker
    received_at: float
    sent_at: float


class Seen(Value, frozen=True, kw_only=True):
    """Who answers, and when the request came."""

    worker: Worker
    received_at: float

    def times(self) -> _Times:
        """Give what every answer begins with, sent now."""
        return {
            "worker": self.worker,
            "received_at": self.received_at,
            "sent_at": time.time(),
        }


def describe(spec: StoreSpec, store: Store, request: Describe, seen: Seen) -> Described:
    """Describe the store; raises ``StoreError`` where it is not there, or does not let us in."""
    namespace = _namespace(spec, request.probe_keys[0])
    _knock(store, namespace.stored_probe)
    kind = "memcached" if spec.kind == "memcached" else "redis"
    cache = CacheDescription(
        alias=spec.cache,
        backend=kind,
        kind=kind,
        scope="network",
        declared_scope=None,
        identity=store.identity(),
        capabilities=store.capabilities(),
        namespace=namespace,
        timeout=None,
        settings=(("servers", spec.path or ", ".join(map(shown_host, spec.hosts))),),
    )
    return Described(
        node=spec.name,
        application=spec.application,
        release=None,
        versions=Versions(python="", django="", agent=__version__, pickle_protocol=0),
        workers_expected=1,
        expected_by="configured",
        caches=(cache,),
        **seen.times(),
    )


def read(spec: StoreSpec, store: Store, request: Read, seen: Seen, pace: Pace) -> Readings:
    """Read keys until the time is up; a key that is named as stored is taken as it is."""
    stored = [
        stored_key(key.name, spec.form) if key.naming == "logical" else key.name
        for key in request.keys
    ]
    reader = Reader(bytes.fromhex(request.seed), _telling(spec, request), pace)
    found = guarded(store.read(stored, pace), len(stored))
    readings = tuple(reader.until_spent(found))
    return Readings(
        readings=readings,
        unread=len(stored) - len(readings),
        servers=_servers(store, stored[: len(readings)]),
        **seen.times(),
    )


def _servers(store: Store, keys: Sequence[str]) -> tuple[str, ...]:
    """Name the server of each key of a cluster, as far as its map is known."""
    if not isinstance(store, ClusterStore):
        return ()
    try:
        return tuple(store.server_of(key) for key in keys)
    except StoreError:
        return ()


def _knock(store: Store, probe: str) -> None:
    """Read a key that is not there: what cannot be reached at all is not described.

    Where some of several servers cannot be reached, that stands among the reasons of what cannot
    be done.
    """
    if isinstance(store, Several):
        store.reach(probe)
        return
    (reading,) = store.read([probe], lambda: True)
    raise_unreached(reading)


def _namespace(spec: StoreSpec, probe_key: str) -> Namespace:
    form = spec.form or KEY
    return Namespace(
        prefix=form.partition(KEY)[0],
        version="",
        stored_probe=stored_key(probe_key, form),
        form=form,
        is_reversible=True,
    )


def _telling(spec: StoreSpec, request: Read) -> Telling | None:
    """Tell structures, with names as an agent withholds them whose site set nothing."""
    under = request.tree_under
    if under is None and not (request.with_structure or request.with_values):
        return None
    tree = None if under is None else TreeWanted(under=under, is_withheld=is_sensitive)
    showing = is_sensitive if request.with_values else None
    return Telling(payload=_payload_of(spec), tree=tree, showing=showing)


def _payload_of(spec: StoreSpec) -> Callable[[Stored], bytes]:
    return _memcached_payload if spec.kind == "memcached" else _redis_payload


def _redis_payload(stored: Stored) -> bytes:
    """Give the pickle, made of an integer where it is digits, as Django stores these."""
    return pickled_integer(stored.value) or _pickle(stored.value)


def _memcached_payload(stored: Stored) -> bytes:
    if stored.flags == _MEMCACHED_PICKLE:
        return _pickle(stored.value)
    number = pickled_integer(stored.value) if stored.flags in _MEMCACHED_INTEGERS else None
    if number is None:
        raise InertUnreadable(CODEC_UNKNOWN)
    return number


def _pickle(value: bytes) -> bytes:
    if not value.startswith(_PICKLE):
        raise InertUnreadable(CODEC_UNKNOWN)
    return value
