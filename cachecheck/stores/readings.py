"""What is stored as readings: digests under the seed of one run, and structures on request."""

from __future__ import annotations

import pickle
import sys
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, assert_never

from msgspec.structs import replace

from cachecheck.digest import entry_digest
from cachecheck.errors import InertError, InertUndecodable, StoreError
from cachecheck.inert import structural_digest
from cachecheck.model import (
    LATEST,
    MAX_NAME_CHARS,
    MAX_NAMES,
    Expired,
    Failed,
    Missing,
    Present,
    Twig,
)
from cachecheck.stores.base import Stored
from cachecheck.stores.failures import as_reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cachecheck.inert import Encoded, Structure, TreeWanted
    from cachecheck.inert.outline import Place
    from cachecheck.model import Reading
    from cachecheck.stores.base import Pace, RawReading

    Payload: TypeAlias = Callable[[Stored], bytes | Encoded]
    """Gives the encoded value in what is stored, bytes alone being a pickle.

    Raises ``InertUndecodable`` where the application cannot read it either, and ``InertUnreadable``
    where only we do not know how to.
    """

MAX_VERSION_CHARS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """How structures are told: from which bytes, and with which tree.

    ``missing`` names what the application here lacks to load the value, importing nothing; without
    it there is no application that reads what is stored here. ``showing`` asks for the value as
    text, without what stands under the names that it withholds. ``patience`` is a pace for the
    first value of all, which may take longer than the budget rather than never be told.
    """

    payload: Payload
    missing: Callable[[Structure], tuple[str, ...]] | None = None
    tree: TreeWanted | None = None
    showing: Callable[[str], bool] | None = None
    patience: Pace | None = None


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
            reading = self.reading(raw, is_first=not position)
            is_spent = not self._pace()
            if is_spent and position and getattr(reading, "structure_unknown", None):
                return
            yield reading
            if is_spent:
                return

    def reading(self, raw: RawReading, *, is_first: bool = True) -> Reading:
        """Turn one into a reading; ``is_first`` says that nothing was read before it."""
        match raw:
            case Stored():
                return self._present(raw, is_first=is_first)
            case Missing() | Expired() | Failed():
                return raw
            case _:
                assert_never(raw)

    def _present(self, stored: Stored, *, is_first: bool) -> Present:
        plain = Present(
            digest=entry_digest(self._seed, stored.value, stored.flags),
            size_bytes=len(stored.value),
            expires_at=None if stored.expires_at is None else min(stored.expires_at, LATEST),
            cas=stored.cas,
        )
        if self._telling is None:
            return plain
        pace = self._telling.patience if is_first else None
        return self._told(plain, stored, self._telling, pace or self._pace)

    def _told(self, plain: Present, stored: Stored, telling: Telling, pace: Pace) -> Present:
        try:
            found = structural_digest(
                telling.payload(stored),
                seed=self._seed,
                pace=pace,
                tree=telling.tree,
                showing=telling.showing,
            )
        except InertUndecodable as exc:
            is_read_here = telling.missing is not None
            unreadable = (f"not decodable: {exc.reason}"[:MAX_NAME_CHARS],) if is_read_here else ()
            return replace(plain, structure_unknown=exc.reason, unreadable=unreadable)
        except InertError as exc:
            return replace(plain, structure_unknown=exc.reason)
        missing = () if telling.missing is None else telling.missing(found)
        return _with_structure(plain, found, missing)


def _with_structure(plain: Present, found: Structure, missing: tuple[str, ...]) -> Present:
    version = found.django_version
    return replace(
        plain,
        structure=found.digest,
        value_kind=found.kind[:MAX_NAME_CHARS],
        codec=found.codec,
        protocol=found.protocol,
        written_by=None if version is None else f"Django {version[:MAX_VERSION_CHARS]}",
        globals=_names(name for name in found.globals if not _is_of_python(name)),
        unreadable=_names(missing),
        tree=tuple(map(_twig, found.tree)),
        shown=found.shown,
    )


def _twig(place: Place) -> Twig:
    """Put a place on the wire; its kind is a name that whoever wrote the value chose."""
    return Twig(**asdict(place) | {"kind": place.kind[:MAX_NAME_CHARS]})


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(name[:MAX_NAME_CHARS] for name in islice(found, MAX_NAMES))


def _is_of_python(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


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
