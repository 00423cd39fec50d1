"""The form of stored keys, and the logical keys in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cachecheck.model import Namespace

KEY = "{key}"
"""Where the logical key stands in a namespace's form."""


def stored_key(logical: str, form: str | None) -> str:
    """Make the stored key of a logical one; they are the same where there is no form."""
    return logical if form is None else form.replace(KEY, logical)


def logical_key(stored: str, form: str) -> str | None:
    """Recover the logical key; None where the stored key is outside the namespace."""
    head, _, tail = form.partition(KEY)
    if not (stored.startswith(head) and stored.endswith(tail)):
        return None
    return stored[len(head) : len(stored) - len(tail)] or None


def heads_of(namespace: Namespace) -> tuple[str, ...]:
    """Give what stored keys begin with: as observed, and as prefix and version would make it.

    None where all stored keys could be meant, or the backend could not be looked at.
    """
    if not namespace.stored_probe:
        return ()
    observed = (namespace.form or "").partition(KEY)[0]
    made = f"{namespace.prefix}:{namespace.version}:" if namespace.version else ""
    return tuple(dict.fromkeys(filter(None, (observed, made))))
