"""Classes whose objects count, each a subclass of that of a backend, and showing itself as it."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

from cachecheck.agent.counting import PLAIN, counting_methods
from cachecheck.agent.counting.culling import culling_methods
from cachecheck.agent.counting.libraries import library_of, traits_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.counting.tally import Tally


def change(cache: Any, tally: Tally) -> None:
    """Turn a backend into one that counts; raises ``TypeError`` and whatever its class raises."""
    cls: Any = type(cache)
    cache.__class__ = _counting_class(cls, tally)


def replace(cache: Any, tally: Tally) -> Any:
    """Give a backend that counts in place of one that was just made: the same, or another like it.

    An object whose class was changed finds each of its attributes by its name in a dictionary, and
    no more in a slot: 8 % of what a LocMemCache takes to answer. So where the constructor is the
    library's, and nobody has put anything upon the object that hides what its class has, the
    attributes go to an object made anew. Raises as ``change`` does.
    """
    cls: Any = type(cache)
    library = library_of(cls)
    attributes: dict[str, Any] = vars(cache)
    is_usual = cls.__init__ is library.__init__ and cls.__new__ is object.__new__
    hides = any(hasattr(cls, name) for name in attributes)
    if hides or not is_usual or not traits_of(library).is_quick:
        change(cache, tally)
        return cache
    made = object.__new__(_counting_class(cls, tally))
    for name, value in attributes.items():
        object.__setattr__(made, name, value)
    return made


@functools.cache
def _counting_class(cls: Any, tally: Tally) -> Any:
    """Make the class that counts, and beside it the one of its twins, which do not.

    Both count what is culled: no call of the application's asks for that.
    """
    if hasattr(cls, "__del__") or any(vars(base).get("__slots__") for base in cls.__mro__):
        raise TypeError("its objects cannot have twins")
    library = library_of(cls)
    shown = {
        "__class__": property(lambda _self: cls),
        "__reduce_ex__": _reducer(cls),
        **culling_methods(cls, tally),
    }
    counting: type = _counting_library_class(library, tally)
    bases = (counting,) if cls is library else (cls, counting)
    return _subclass(cls, bases, {PLAIN: _subclass(cls, (cls,), shown), **shown})


@functools.cache
def _counting_library_class(library: Any, tally: Tally) -> type:
    methods = counting_methods(library, tally, traits_of(library))
    return _subclass(library, (library,), methods)


def _subclass(like: type, bases: tuple[type, ...], body: dict[str, Any]) -> type:
    """Make a class that shows itself as the one it is ``like``."""
    shown = {name: getattr(like, name) for name in ("__module__", "__qualname__", "__doc__")}
    return types.new_class(like.__name__, bases, exec_body=lambda space: space.update(shown | body))


def _reducer(cls: type[BaseCache]) -> Callable[[BaseCache, Any], Any]:
    """Copy and pickle as an instance of ``cls``, the class that can be imported."""

    def __reduce_ex__(self: BaseCache, protocol: Any) -> Any:  # noqa: N807  it becomes that method
        reduced = super(type(self), self).__reduce_ex__(protocol)
        if not isinstance(reduced, tuple):
            return reduced
        make, arguments, *rest = reduced
        plain = [cls if argument is type(self) else argument for argument in arguments]
        return (cls if make is type(self) else make, tuple(plain), *rest)

    return __reduce_ex__
