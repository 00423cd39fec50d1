"""Functions of the site's own, by the dotted paths that its settings give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from collections.abc import Callable


def loaded(path: str) -> Callable[..., Any]:
    """Import a function; raises whatever the import of the site's module does."""
    found = import_string(path)
    if not callable(found):
        raise TypeError("it cannot be called")
    return found  # type: ignore[no-any-return]
