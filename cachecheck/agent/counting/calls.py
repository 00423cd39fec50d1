"""All methods but ``get()``, by their results: what each of them tells the tally."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from cachecheck.agent.counting.tally import Tally
    from cachecheck.agent.counting.ways import Way

Method: TypeAlias = Callable[..., Any]


class Telling(NamedTuple):
    """What a call says by its result: told the tally, the result, and the call's first argument.

    ``may_miss``: it raises ``ValueError`` for a key that is not there. ``takes_many``: its first
    argument may be an iterator.
    """

    tell: Callable[[Tally, Any, Any], None]
    may_miss: bool = False
    takes_many: bool = False


def counted_call(way: Way, inner: Method, telling: Telling) -> Method:
    """Make a method that does as ``inner`` does, and tells what came of it."""
    begin, told = way.begin, _Teller(way, telling)
    first_of = _doubled if telling.takes_many else _first

    @functools.wraps(inner)
    def method(self: Any, *args: Any, **options: Any) -> Any:
        first, args, options = first_of(args, options)
        try:
            result = inner(begin(self), *args, **options)
        except Exception as exc:
            told.failed(exc, first)
            raise
        told.returned(result, first)
        return result

    @functools.wraps(inner)
    async def amethod(self: Any, *args: Any, **options: Any) -> Any:
        first, args, options = first_of(args, options)
        try:
            result = await inner(begin(self), *args, **options)
        except Exception as exc:
            told.failed(exc, first)
            raise
        told.returned(result, first)
        return result

    return amethod if inspect.iscoroutinefunction(inner) else method


class _Teller:
    """Tells the tally how the calls of one method ended."""

    def __init__(self, way: Way, telling: Telling) -> None:
        self._way = way
        self._telling = telling

    def returned(self, result: Any, first: Any) -> None:
        if self._way.was_error_hidden():
            return
        with suppress(Exception):  # an odd argument: the application's answer matters more
            self._telling.tell(self._way.tally, result, first)

    def failed(self, exc: Exception, first: Any) -> None:
        if self._telling.may_miss and type(exc) is ValueError:
            self._way.tally.missed(first)
        else:
            self._way.failed(exc)


_Call: TypeAlias = "tuple[Any, tuple[Any, ...], dict[str, Any]]"


def _first(args: tuple[Any, ...], options: dict[str, Any]) -> _Call:
    """Give the first argument of a call, and its arguments."""
    if args:
        return args[0], args, options
    return options.get("key"), args, options


def _doubled(args: tuple[Any, ...], options: dict[str, Any]) -> _Call:
    """Give the keys or the data of a call, and its arguments; an iterator is doubled for both."""
    name = "data" if "data" in options else "keys"
    first = args[0] if args else options.get(name)
    if isinstance(first, Iterator):
        first, again = itertools.tee(first)
        if args:
            args = (again, *args[1:])
        else:
            options = {**options, name: again}
    return first, args, options


def _tell_get_many(tally: Tally, found: Any, keys: Any) -> None:
    """Count a key as often as it was asked for, as ``BaseCache`` asks for each by itself."""
    keys, found = tuple(keys or ()), found or {}
    tally.looked([key for key in keys if key in found], [key for key in keys if key not in found])


def _tell_has_key(tally: Tally, is_there: Any, key: Any) -> None:
    if is_there:
        tally.found(key)
    else:
        tally.missed(key)


def _tell_incr(tally: Tally, _value: Any, key: Any) -> None:
    tally.found(key)
    tally.sets.add()


def _tell_incr_version(tally: Tally, version: Any, key: Any) -> None:
    _tell_incr(tally, version, key)
    tally.deletes.add()


def _tell_set(tally: Tally, was_set: Any, _key: Any) -> None:
    if was_set is not False:  # Django's say nothing; django-redis does, with nx=True
        tally.sets.add()


def _tell_add(tally: Tally, was_added: Any, _key: Any) -> None:
    if was_added:
        tally.sets.add()


def _tell_set_many(tally: Tally, failed: Any, data: Any) -> None:
    tally.sets.add_many(len(data or ()) - len(failed or ()))


def _tell_delete(tally: Tally, _result: Any, _key: Any) -> None:
    tally.deletes.add()


def _tell_delete_many(tally: Tally, _result: Any, keys: Any) -> None:
    tally.deletes.add_many(sum(1 for _ in keys or ()))


def _tell_nothing(_tally: Tally, _result: Any, _key: Any) -> None:
    """Count errors alone: who changes an expiry asks for no value and writes none."""


_SYNCHRONOUS = {
    "get_many": Telling(_tell_get_many, takes_many=True),
    "has_key": Telling(_tell_has_key),
    "incr": Telling(_tell_incr, may_miss=True),
    "decr": Telling(_tell_incr, may_miss=True),
    "incr_version": Telling(_tell_incr_version, may_miss=True),
    "decr_version": Telling(_tell_incr_version, may_miss=True),
    "set": Telling(_tell_set),
    "add": Telling(_tell_add),
    "set_many": Telling(_tell_set_many, takes_many=True),
    "delete": Telling(_tell_delete),
    "delete_many": Telling(_tell_delete_many, takes_many=True),
    "clear": Telling(_tell_delete),
    "touch": Telling(_tell_nothing),
}
TOLD = _SYNCHRONOUS | {f"a{name}": telling for name, telling in _SYNCHRONOUS.items()}
"""What is told of each method, by its name. ``in`` asks ``has_key()``, with every library."""
