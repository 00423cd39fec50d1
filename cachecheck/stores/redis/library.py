"""The client libraries that speak to a Redis: redis-py, and valkey-py, which was forked from it.

A node has the one that its site uses. Their modules and classes correspond by name, so what is
needed is looked up in the library that a pool came from, or in all that were imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_NAMES = ("redis", "valkey")


def library_of(thing: object) -> str:
    """Name the library that an object comes from, also where a site subclasses its class."""
    for cls in type(thing).__mro__:
        name = cls.__module__.partition(".")[0]
        if name in _NAMES:
            return name
    return _NAMES[0]


def of_library(library: str, module: str, name: str) -> Any:
    """Import a class of a library from one of its modules ("" is its root)."""
    found = import_module(f"{library}.{module}" if module else library)
    return getattr(found, name)


def exceptions(*names: str) -> tuple[type[Exception], ...]:
    """Give the exceptions of these names, of every library that was imported.

    redis-py's roots have its name in theirs, and so have those of valkey-py.
    """
    modules = [
        (library, sys.modules[f"{library}.exceptions"])
        for library in _NAMES
        if f"{library}.exceptions" in sys.modules
    ]
    return tuple(
        getattr(module, own)
        for library, module in modules
        for own in (name.replace("Redis", library.capitalize()) for name in names)
        if hasattr(module, own)
    )
