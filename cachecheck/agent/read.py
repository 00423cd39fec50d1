"""Read keys through this view: the answer to ``read``, one reading per key, in order."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, assert_never

from django.core.exceptions import ImproperlyConfigured

from cachecheck.agent.withholding import Withholding
from cachecheck.digest import entry_digest
from cachecheck.errors import InertError, StoreError
from cachecheck.inert import structural_digest
from cachecheck.model import LATEST, Expired, Failed, Missing, Present
from cachecheck.stores.base import Stored
from cachecheck.stores.failures import as_reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Key, Reading
    from cachecheck.stores.base import Pace, RawReading
    from cachecheck.wire import Read

_WITHHELD = Failed(reason="withheld", detail="this node's WITHHOLD names the key")


def read(backend: Backend, request: Read, conf: Conf, pace: Pace) -> tuple[Reading, ...]:
    """Read the keys of the request until the budget is spent, or the store gives no more.

    Keys that ``WITHHOLD`` names are answered as withheld. One named by a digest, as a file is, can
    be read: what leaves is a digest of its value under the run's seed, never its logical key.
    """
    withholding = Withholding(backend, conf)
    addresses = [_address(backend, key, withholding) for key in request.keys]
    wanted = [address for address in addresses if isinstance(address, str)]
    view = _View(backend, request, pace)
    with closing(backend.store()) as store:
        found = _guarded(store.read(wanted, pace), len(wanted)) if wanted else iter(())
        return tuple(view.until_spent(_in_order(addresses, found)))


class _View:
    """Turns what is stored into readings, under the seed of one run."""

    def __init__(self, backend: Backend, request: Read, pace: Pace) -> None:
        self._backend = backend
        self._seed = bytes.fromhex(request.seed)
        self._with_structure = request.with_structure
        self._pace = pace

    def until_spent(self, found: Iterable[RawReading]) -> Iterator[Reading]:
        """Give readings until the budget ends.

        A value whose structure could not be told only because earlier ones had spent the budget
        is left for the next request, where it comes first.
        """
        for position, raw in enumerate(found):
            reading = self._reading(raw)
            is_spent = not self._pace()
            if is_spent and position and getattr(reading, "structure_unknown", None):
                return
            yield reading
            if is_spent:
                return

    def _reading(self, raw: RawReading) -> Reading:
        match raw:
            case Stored():
                return self._present(raw)
            case Missing() | Expired() | Failed():
                return raw
            case _:
                assert_never(raw)

    def _present(self, stored: Stored) -> Present:
        structure, unknown, kind = self._structure(stored)
        return Present(
            digest=entry_digest(self._seed, stored.value, stored.flags),
            size_bytes=len(stored.value),
            expires_at=None if stored.expires_at is None else min(stored.expires_at, LATEST),
            cas=stored.cas,
            structure=structure,
            structure_unknown=unknown,
            value_kind=kind,
        )

    def _structure(self, stored: Stored) -> tuple[str | None, str | None, str | None]:
        if not self._with_structure:
            return None, None, None
        try:
            payload = self._backend.payload(stored)
            found = structural_digest(payload, seed=self._seed, pace=self._pace)
        except InertError as exc:
            return None, exc.reason, None
        return found.digest, None, found.kind


def _in_order(
    addresses: Iterable[str | Failed], found: Iterator[RawReading]
) -> Iterator[RawReading]:
    """Put what is found among what must not be read; ends where the store does."""
    for address in addresses:
        raw = next(found, None) if isinstance(address, str) else address
        if raw is None:
            return
        yield raw


def _address(backend: Backend, key: Key, withholding: Withholding) -> str | Failed:
    """Turn a key into what the store calls it, or say why it must not be read."""
    if withholding.hides(key):
        return _WITHHELD
    if key.naming != "logical":
        return key.name
    try:
        stored = backend.stored_key(key.name)
    except (ValueError, ImproperlyConfigured) as exc:
        return Failed(reason="error", detail=f"the backend refuses this key: {exc}"[:200])
    return _WITHHELD if withholding.hides(key, stored) else stored


def _guarded(found: Iterator[RawReading], count: int) -> Iterator[RawReading]:
    """Give ``count`` readings; from the first failure of the store on, they are failures."""
    given = 0
    try:
        for reading in found:
            yield reading
            given += 1
    except StoreError as exc:
        yield from (as_reading(exc) for _ in range(count - given))
