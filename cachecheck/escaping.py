"""Text that a node or a store supplied, as people may see it: on a page, on a bar, in a log."""

from __future__ import annotations


def clean(text: str) -> str:
    r"""Escape what could control a terminal or deceive its reader: ``\x1b``, ``\u202e``.

    Control and format characters, surrogates, private and unassigned code points and every
    separator but the plain space become visible escapes; all else stays.
    """
    return "".join(char if char.isprintable() else escape(char) for char in text)


def escape(char: str) -> str:
    """Write a character as its escape."""
    return char.encode("unicode_escape").decode("ascii")
