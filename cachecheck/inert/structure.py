"""From the bytes of a value to what it holds, in a few words, one digest, and a tree of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachecheck.errors import InertTooLarge
from cachecheck.inert.codecs import Encoded, decode
from cachecheck.inert.digesting import Digester
from cachecheck.inert.kinds import kind_of, printable
from cachecheck.inert.limits import Limits, Meter
from cachecheck.inert.outline import Outliner
from cachecheck.inert.showing import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cachecheck.inert.naming import IsWithheld
    from cachecheck.inert.nodes import Value
    from cachecheck.inert.outline import Place

MAX_GLOBALS: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """What a value holds, told without loading it.

    ``digest``: 32 hexadecimal digits, equal for equal values under one seed. ``kind``: a word for
    people; ``codec``: how it was encoded. ``globals``: dotted names of the classes and functions it
    refers to, sorted, at most 100, and ``imports`` the same as module and name; ``models``:
    likewise, the labels of its Django models. ``django_version``: the one a model or queryset was
    pickled under, which the digest leaves out. ``protocol``: the one a pickle declares; protocols
    0 and 1 declare none, and read 0. ``tree``: where it was asked for and is not too large to say;
    ``shown``: the value itself as text, where that was asked for.
    """

    digest: str
    kind: str
    codec: str
    globals: tuple[str, ...]
    imports: tuple[tuple[str, str], ...]
    models: tuple[str, ...]
    django_version: str | None
    protocol: int | None
    tree: tuple[Place, ...] = ()
    shown: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeWanted:
    """Which tree is wanted: below which path, and which names must not be shown in it."""

    under: Sequence[str] = ()
    is_withheld: IsWithheld


def structural_digest(  # noqa: PLR0913  one value, and how it is to be told
    payload: bytes | Encoded,
    *,
    seed: bytes,
    limits: Limits = Limits(),  # noqa: B008 - frozen, so one default serves every call
    pace: Callable[[], bool] | None = None,
    tree: TreeWanted | None = None,
    showing: IsWithheld | None = None,
) -> Structure:
    """Read a value as data, running nothing of it, and digest its structure.

    Bytes alone are a pickle. The digest is equal over protocols 0 to 5, Pythons 3.11 to 3.13, hash
    seeds, the order of dicts and sets, and whether members are shared or merely equal. It is 128
    bits of BLAKE2b keyed with the seed, and means nothing under another one. Values in JSON and
    MessagePack become the same structure, so one value in two codecs has one digest as far as both
    keep it: neither knows tuples, sets or objects.

    ``pace`` is called at every 1,024 operations of reading and digesting, where the caller may
    sleep; False from it ends the reading. Bytes after the pickle's end are refused: no Django
    backend writes any, so they tell of another codec (plain text such as ``N.B. …`` starts with a
    whole pickle). ``showing`` asks for the value itself as text, without what stands under the
    names that it withholds.

    Raises InertUnreadable for what is not in its codec, or a pickle that refers to things outside
    itself, and InertTooLarge past a limit; nothing else, whatever the bytes.
    """
    encoded = Encoded(raw=payload) if isinstance(payload, bytes) else payload
    meter = Meter(limits, pace)
    root, protocol = decode(encoded, meter)
    digester = Digester(seed, meter)
    digest = digester.digest(root)
    version = digester.django_version
    return Structure(
        digest=digest.hex(),
        kind=printable(kind_of(root)),
        codec=encoded.name,
        globals=_names(f"{module}.{name}" for module, name in digester.globals),
        imports=tuple(sorted(digester.globals)[:MAX_GLOBALS]),
        models=_names(digester.models),
        django_version=None if version is None else printable(version),
        protocol=protocol,
        tree=() if tree is None else _outlined(root, tree, digester, meter),
        shown=None if showing is None else show(root, showing),
    )


def _outlined(root: Value, tree: TreeWanted, digester: Digester, meter: Meter) -> tuple[Place, ...]:
    with suppress(InertTooLarge):
        return Outliner(digester.hashed, tree.is_withheld, meter).outline(root, tree.under)
    return ()


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(printable, sorted(set(found))[:MAX_GLOBALS]))
