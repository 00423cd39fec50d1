"""From the bytes of a pickle to what it holds, in a few words and one digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachecheck.inert.digesting import Digester
from cachecheck.inert.kinds import kind_of
from cachecheck.inert.limits import Limits, Meter
from cachecheck.inert.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_GLOBALS: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """What a pickle holds, told without loading it.

    ``digest``: 32 hexadecimal digits, equal for equal values under one seed. ``kind``: a word for
    people. ``globals``: dotted names of the classes and functions it refers to, sorted, at most
    100. ``django_version``: the one a model or queryset was pickled under, which the digest
    leaves out. ``protocol``: the one the pickle declares; protocols 0 and 1 declare none, and
    read 0.
    """

    digest: str
    kind: str
    globals: tuple[str, ...]
    django_version: str | None
    protocol: int


def structural_digest(
    payload: bytes,
    *,
    seed: bytes,
    limits: Limits = Limits(),  # noqa: B008 - frozen, so one default serves every call
    pace: Callable[[], bool] | None = None,
) -> Structure:
    """Read a pickle as data, running nothing of it, and digest its structure.

    The digest is equal over protocols 0 to 5, Pythons 3.11 to 3.13, hash seeds, the order of
    dicts and sets, and whether members are shared or merely equal. It is 128 bits of BLAKE2b
    keyed with the seed, and means nothing under another one.

    ``pace`` is called at every 1,024 operations of reading and digesting, where the caller may
    sleep; False from it ends the reading. Bytes after the pickle's end are refused: no Django
    backend writes any, so they tell of another codec (plain text such as ``N.B. …`` starts with a
    whole pickle).

    Raises InertUnreadable for what is no pickle, or one that refers to things outside itself, and
    InertTooLarge past a limit; nothing else, whatever the bytes.
    """
    meter = Meter(limits, pace)
    meter.check_bytes(len(payload))
    root, protocol = read(payload, meter)
    digester = Digester(seed, meter)
    digest = digester.digest(root)
    version = digester.django_version
    return Structure(
        digest=digest.hex(),
        kind=_printable(kind_of(root)),
        globals=tuple(map(_printable, sorted(set(digester.globals))[:MAX_GLOBALS])),
        django_version=None if version is None else _printable(version),
        protocol=protocol,
    )


def _printable(text: str) -> str:
    """Escape a name that holds control characters or lone surrogates: people and JSON see it."""
    return text if text.isprintable() else ascii(text)[1:-1]
