"""Values to pickle, and short names for what the tests ask of them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import math
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cachecheck.inert import structural_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

PROTOCOLS = range(6)
SEED = b"one run"

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a busy machine, pickling nested values takes as long as it takes."""


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass
class Product:
    name: Any
    price: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    name: Any
    price: Any


class Bag:
    """Holds whatever it is given, also itself."""

    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)


class Labels(dict[Any, Any]):
    """A dict of a site's own."""


class Names(list[Any]):
    """A list of a site's own."""


class Keyed:
    """Made with a keyword argument, which NEWOBJ_EX is for."""

    def __new__(cls, *words: str, size: int) -> Self:
        made = super().__new__(cls)
        made.words, made.size = words, size
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str, ...], dict[str, int]]:
        return self.words, {"size": self.size}

    def __getstate__(self) -> None:
        return None


def digest(payload: bytes) -> str:
    return structural_digest(payload, seed=SEED).digest


def digest_of(value: Any, protocol: int = 4) -> str:
    return digest(pickle.dumps(value, protocol))


def digests_of(value: Any, protocols: Iterable[int] = PROTOCOLS) -> set[str]:
    return {digest_of(value, protocol) for protocol in protocols}


def hashables() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(2**600), 2**600),
        st.floats(allow_nan=False),
        st.text(st.characters(codec=None), max_size=80),
        st.binary(max_size=80),
        st.datetimes(timezones=st.sampled_from([None, dt.UTC]), allow_imaginary=False).map(
            lambda moment: moment.replace(fold=0)
        ),
        st.dates(),
        st.timedeltas(),
        st.decimals(allow_nan=False),
        st.fractions(),
        st.uuids(),
        st.sampled_from([*Colour, *Right, Right.READ | Right.WRITE, int, math.sin]),
        st.complex_numbers(allow_nan=False),
    )


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(inner, max_size=4)
    return st.one_of(
        items,
        items.map(tuple),
        items.map(Names),
        st.builds(Pair, inner, inner),
        st.builds(Product, inner, inner),
        st.builds(Bag, held=inner),
        st.dictionaries(hashables(), inner, max_size=4),
        st.dictionaries(hashables(), inner, max_size=4).map(collections.OrderedDict),
        st.dictionaries(hashables(), inner, max_size=4).map(Labels),
        st.dictionaries(hashables(), inner, max_size=4).map(
            lambda held: collections.defaultdict(list, held)
        ),
        st.sets(hashables(), max_size=6),
        st.frozensets(hashables(), max_size=6),
        items.map(collections.deque),
        inner.map(lambda shared: [shared, (shared, shared), {"again": shared}]),
        inner.map(cyclic),
        st.binary(max_size=200).map(bytearray),
    )


def cyclic(value: Any) -> Any:
    """Give a value in a structure that holds itself in several ways."""
    bag = Bag(value=value, children=[])
    bag.children += [Bag(parent=bag, number=number) for number in range(3)]
    bag.known = {child for child in bag.children if child.number}
    bag.pair = (bag, bag.children)
    return bag


def values() -> st.SearchStrategy[Any]:
    return st.recursive(hashables(), nest, max_leaves=12)
