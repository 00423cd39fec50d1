"""Read keys through this view: the answer to ``read``, one reading per key, in order."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from django.core.cache.backends.base import InvalidCacheKey
from django.core.exceptions import ImproperlyConfigured

from cachecheck.agent.importing import missing_here
from cachecheck.agent.opening import open_for
from cachecheck.agent.withholding import Withholding
from cachecheck.inert import TreeWanted
from cachecheck.model import Failed
from cachecheck.stores.readings import Reader, Telling, guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.budget import Budget
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Key, Reading
    from cachecheck.stores.base import RawReading
    from cachecheck.wire import Read

_WITHHELD = Failed(reason="withheld", detail="this node's WITHHOLD names the key")


def read(backend: Backend, request: Read, conf: Conf, pace: Budget) -> tuple[Reading, ...]:
    """Read the keys of the request until the budget is spent, or the store gives no more.

    The structure of the first value may take ``VALUE_MS`` however small the budget is, since no
    later request would have more for it.

    Keys that ``WITHHOLD`` names are answered as withheld. One named by a digest, as a file is, can
    be read: what leaves is a digest of its value under the run's seed, never its logical key.
    """
    withholding = Withholding(backend, conf)
    addresses = [address(backend, key, withholding) for key in request.keys]
    wanted = [address for address in addresses if isinstance(address, str)]
    reader = Reader(bytes.fromhex(request.seed), _telling(backend, request, conf, pace), pace)
    with closing(open_for(backend, request)) as store:
        found = guarded(store.read(wanted, pace), len(wanted)) if wanted else iter(())
        return tuple(reader.until_spent(_in_order(addresses, found)))


def _telling(backend: Backend, request: Read, conf: Conf, pace: Budget) -> Telling | None:
    under = request.tree_under
    if under is None and not (request.with_structure or request.with_values):
        return None
    tree = None if under is None else TreeWanted(under=under, is_withheld=conf.withholds_name)
    showing = conf.withholds_name if _may_show(request, conf) else None
    patience = pace.extended(max(conf.budget_seconds, conf.value_seconds))
    return Telling(
        payload=backend.payload,
        missing=partial(missing_here, pace=pace),
        tree=tree,
        showing=showing,
        patience=patience,
    )


def _may_show(request: Read, conf: Conf) -> bool:
    """Whether values may leave as text: only of keys by whose name ``WITHHOLD`` can be judged."""
    are_logical = all(key.naming == "logical" for key in request.keys)
    return request.with_values and conf.allows_values and are_logical


def _in_order(
    addresses: Iterable[str | Failed], found: Iterator[RawReading]
) -> Iterator[RawReading]:
    """Put what is found among what must not be read; ends where the store does."""
    for address in addresses:
        raw = next(found, None) if isinstance(address, str) else address
        if raw is None:
            return
        yield raw


def address(backend: Backend, key: Key, withholding: Withholding) -> str | Failed:
    """Turn a key into what the store calls it, or say why it must not be read."""
    if withholding.hides(key):
        return _WITHHELD
    if key.naming != "logical":
        return key.name
    try:
        stored = backend.stored_key(key.name)
    except InvalidCacheKey as exc:  # Django's own words, about the key that was asked for
        return Failed(reason="error", detail=f"the backend refuses this key: {exc}"[:200])
    except (ValueError, ImproperlyConfigured) as exc:
        return Failed(reason="error", detail=f"the backend refuses this key: {type(exc).__name__}")
    return _WITHHELD if withholding.hides(key, stored) else stored
