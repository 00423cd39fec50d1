"""The form of stored keys, and the logical keys in them."""

from __future__ import annotations

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
