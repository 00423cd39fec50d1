"""What is stored as readings: digests under the seed of one run, and structures on request."""

from __future__ import annotations

import pickle
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

from msgspec.structs import replace

from cachecheck.digest import entry_digest
from cachecheck.errors import InertError, StoreError
from cachecheck.inert import structural_digest
from cachecheck.model import LATEST, MAX_NAMES, Expired, Failed, Missing, Present, Twig
from cachecheck.stores.base import Stored
from cachecheck.stores.failures import as_reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cachecheck.inert import Structure, TreeWanted
    from cachecheck.model import Reading
    from cachecheck.stores.base import Pace, RawReading

    Payload: TypeAlias = Callable[[Stored], bytes]
    """Gives the pickle in what is stored; raises ``InertUnreadable`` where there is none."""


MAX_VERSION = 40

_ALWAYS_THERE = sys.stdlib_module_names


def _nothing(_structure: Structure) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """How structures are told: from which bytes, and with which tree.

    ``missing`` names what the application here lacks to load the value, importing nothing.
    ``showing`` asks for the value as text, without what stands under the names that it withholds.
    """

    payload: Payload
    missing: Callable[[Structure], tuple[str, ...]] = _nothing
    tree: TreeWanted | None = None
    showing: Callable[[str], bool] | None = None


class Reader:
    """Turns what is stored into readings; with ``telling``, structures are told as well."""

    def __init__(self, seed: bytes, telling: Telling | None, pace: Pace) -> None:
        self._seed = seed
        self._telling = telling
        self._pace = pace

    def until_spent(self, found: Iterable[RawReading]) -> Iterator[Reading]:
        """Give readings until the budget ends.

        A value whose structure could not be told only because earlier ones had spent the budget
        is left for the next request, where it comes first.
        """
        for position, raw in enumerate(found):
            reading = self.reading(raw)
            is_spent = not self._pace()
            if is_spent and position and getattr(reading, "structure_unknown", None):
                return
            yield reading
            if is_spent:
                return

    def reading(self, raw: RawReading) -> Reading:
        """Turn one into a reading."""
        match raw:
            case Stored():
                return self._present(raw)
            case Missing() | Expired() | Failed():
                return raw
            case _:
                assert_never(raw)

    def _present(self, stored: Stored) -> Present:
        plain = Present(
            digest=entry_digest(self._seed, stored.value, stored.flags),
            size_bytes=len(stored.value),
            expires_at=None if stored.expires_at is None else min(stored.expires_at, LATEST),
            cas=stored.cas,
        )
        return plain if self._telling is None else self._told(plain, stored, self._telling)

    def _told(self, plain: Present, stored: Stored, telling: Telling) -> Present:
        try:
            found = structural_digest(
                telling.payload(stored),
                seed=self._seed,
                pace=self._pace,
                tree=telling.tree,
                showing=telling.showing,
            )
        except InertError as exc:
            return replace(plain, structure_unknown=exc.reason)
        return replace(
            plain,
            structure=found.digest,
            value_kind=found.kind,
            codec="pickle",
            protocol=found.protocol,
            written_by=found.django_version and f"Django {found.django_version[:MAX_VERSION]}",
            globals=tuple(filter(_is_beyond_builtins, found.globals))[:MAX_NAMES],
            unreadable=telling.missing(found)[:MAX_NAMES],
            tree=tuple(Twig(**asdict(place)) for place in found.tree),
            shown=found.shown,
        )


def _is_beyond_builtins(name: str) -> bool:
    return name.partition(".")[0] not in _ALWAYS_THERE


def guarded(found: Iterator[RawReading], count: int) -> Iterator[RawReading]:
    """Give ``count`` readings; from the first failure of the store on, they are failures."""
    given = 0
    try:
        for reading in found:
            yield reading
            given += 1
    except StoreError as exc:
        yield from (as_reading(exc) for _ in range(count - given))


def pickled_integer(value: bytes) -> bytes | None:
    """Give the pickle of an integer, stored as digits by Django's Redis backends; None: not one."""
    try:
        return pickle.dumps(int(value), protocol=4)
    except ValueError:
        return None
