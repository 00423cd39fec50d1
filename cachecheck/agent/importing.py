"""What a value refers to and this process could not import: found out without importing it.

Loading a pickle imports the modules it names and takes attributes of them. Here modules that are
loaded already are looked into, and of the others the source, as text. What cannot be known that way
(a module that makes its attributes when asked, a package that is not loaded yet and may make its
submodules) is not called missing.
"""

from __future__ import annotations

import re
import sys
from inspect import getattr_static
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from django.apps import apps

from cachecheck.inert.kinds import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec

    from cachecheck.inert import Structure

Presence = Literal["there", "missing", "unknown"]

MOST_SOURCE_BYTES = 1 << 20

_ABSENT = object()
_MAKES_NAMES = (
    b"import *",
    b"__getattr__",
    b"globals(",
    b"setattr",
    b"exec(",
    b"sys.modules",
    b"__dict__",
    b"vars(",
)
_IMPORTS_WHEN_ASKED = "_distutils_hack"
"""Setuptools' finder imports and replaces distutils as soon as it is asked where that is."""


def missing_here(structure: Structure, pace: Callable[[], bool] = lambda: True) -> tuple[str, ...]:
    """Name the classes, functions and Django models of a value that this process does not have.

    ``pace`` is called after each class or function, where the caller may sleep: a value says how
    much source is read. It refers to at most ``inert.structure.MAX_GLOBALS`` of them.
    """
    return (*_missing_globals(structure, pace), *_missing_models(structure))


def _missing_globals(structure: Structure, pace: Callable[[], bool]) -> Iterator[str]:
    for module, name in structure.imports:
        if presence(module, name) == "missing":
            yield printable(f"{module}.{name}")
        pace()


def _missing_models(structure: Structure) -> Iterator[str]:
    """Look models up in ``apps``, as ``model_unpickle`` does; once it is ready, all are there."""
    for label in structure.models if apps.models_ready else ():
        app, _, model = label.partition(".")
        if app not in apps.app_configs or model.lower() not in apps.all_models.get(app, {}):
            yield f"the model {label}"


def presence(module: str, name: str) -> Presence:
    """Say whether an attribute of a module, dotted within it, could be imported here.

    Nothing is imported. Of modules that are not loaded only the source is looked at, so "there"
    does not promise that they load.
    """
    try:
        if module in sys.modules:
            return _in_module(sys.modules[module], name)
        found = _spec(module)
        return found if isinstance(found, str) else _in_source(found, name)
    except Exception:  # noqa: BLE001  finders and modules are the site's own code
        return "unknown"


def _in_module(module: Any, name: str) -> Presence:
    if module is None:  # as sys.modules says of what must not be imported
        return "missing"
    spec = getattr_static(module, "__spec__", None)
    if type(module) is not ModuleType or getattr(spec, "_initializing", False):
        return "unknown"
    found: Any = module
    for part in name.split("."):
        inner = getattr_static(found, part, _ABSENT)
        if inner is _ABSENT:
            return "unknown" if _makes_attributes(found) else "missing"
        found = inner
    return "there"


def _makes_attributes(holder: Any) -> bool:
    """Whether it may have more attributes than it shows."""
    if isinstance(holder, ModuleType):
        return "__getattr__" in vars(holder)
    if not isinstance(holder, type):
        return True
    return getattr_static(type(holder), "__getattr__", None) is not None


def _spec(module: str) -> ModuleSpec | Presence:
    """Look for a module where the nearest package that is loaded would find it."""
    parent, _, last = module.rpartition(".")
    if not last or module == "distutils":
        return "unknown"
    if not parent:
        return "unknown" if module.startswith(".") else _found(module, None)
    if parent not in sys.modules:
        return "missing" if _spec(parent) == "missing" else "unknown"
    package = sys.modules[parent]
    path = getattr_static(package, "__path__", None)
    if path is None:
        return "unknown" if _makes_attributes(package) else "missing"
    return _found(module, list(path))


def _found(module: str, path: list[str] | None) -> ModuleSpec | Presence:
    """Ask the finders, as an import would, but for the one that imports by itself."""
    finders = [one for one in sys.meta_path if type(one).__module__ != _IMPORTS_WHEN_ASKED]
    finds = [getattr(finder, "find_spec", None) for finder in finders]
    specs = (find(module, path) for find in finds if find is not None)
    return next((spec for spec in specs if spec is not None), "missing")


def _in_source(spec: ModuleSpec, name: str) -> Presence:
    """Look for the name in the text of a module: one that never says it does not define it.

    Unless it says something by which names come about that it does not say.
    """
    source = Path(spec.origin or "")
    if not spec.has_location or source.suffix != ".py":
        return "unknown"
    if source.stat().st_size > MOST_SOURCE_BYTES:
        return "unknown"
    text = source.read_bytes()
    said = name.partition(".")[0].encode()
    is_said = said in text and re.search(rb"\b%b\b" % re.escape(said), text)
    return "there" if is_said or any(word in text for word in _MAKES_NAMES) else "missing"
