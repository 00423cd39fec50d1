"""What a Django release writes into the state of its objects, beside their value."""

from __future__ import annotations

from typing import Final

from cachecheck.inert.nodes import NONE, TEXT, TRUE, Global, scalar

VERSION_KEY: Final = scalar(TEXT, b"_django_version")
"""``django.db.DJANGO_VERSION_PICKLE_KEY``, in the state of models and querysets."""

_FETCH_ONE: Final = Global("django.db.models.fetch_modes", "FETCH_ONE").token

_DEFAULTS: Final = (
    (scalar(TEXT, b"fetch_mode"), _FETCH_ONE),  # of a ModelState
    (scalar(TEXT, b"_annotation_select_cache"), NONE),  # of a Query
)
_VERSIONED_DEFAULTS: Final = (
    (scalar(TEXT, b"_fetch_mode"), _FETCH_ONE),  # of a QuerySet
    (scalar(TEXT, b"_cloning_enabled"), TRUE),
)


def without_release(items: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Leave out of a state, as tokens, the version and what only one release spells out.

    An attribute that a release does not know, or leaves to its class, is at its default there. See
    ``ModelState`` in ``django/db/models/base.py``, ``QuerySet.__init__`` in
    ``django/db/models/query.py`` and ``Query`` in ``django/db/models/sql/query.py``.
    """
    if all(key != VERSION_KEY for key, _ in items):
        return [item for item in items if item not in _DEFAULTS]
    return [item for item in items if item[0] != VERSION_KEY and item not in _VERSIONED_DEFAULTS]
