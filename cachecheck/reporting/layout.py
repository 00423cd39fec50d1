"""Lines that fit: escaping, cutting, wrapping and tables.

Everything that is printed goes through `paragraph` or `table`, and so through `clean`: what a node
says of itself must not control the terminal that shows it.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec
from tabulate import tabulate

from cachecheck.escaping import clean, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

NARROWEST = 40
UNBOUNDED = 1_000_000

_GAP = 2
_ELLIPSIS = "…"
_LEAST_COLUMN = 3
_LEAST_YIELDING = 8
_LONGEST_CELL = 400


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """How much room there is: columns, examples of one code, and whether to leave nothing out."""

    width: int = 80
    max_examples: int = 3
    is_verbose: bool = False

    def most(self, number: int) -> int:
        """Bound a list by ``number``, or not at all where everything is wanted."""
        return UNBOUNDED if self.is_verbose else number


def cells(text: str) -> int:
    """Measure a cleaned text in terminal cells, never too small: East Asian wide ones are two."""
    return sum(map(_char_cells, text))


def _char_cells(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Shorten a cleaned text to ``width`` cells by its middle: both ends tell keys apart."""
    if cells(text) <= width:
        return text
    tail_width = (width - 1) // 3
    head = _head(text, width - 1 - tail_width)
    tail = _head(text[::-1], tail_width)[::-1]
    return head + _ELLIPSIS + tail


def _head(text: str, width: int) -> str:
    ends = list(accumulate(map(_char_cells, text)))
    return text[: bisect_right(ends, width)]


def paragraph(
    text: str, page: Page, *, indent: int = 0, lead: str = "", most_lines: int = 6
) -> list[str]:
    """Wrap foreign text to the page; lines after the first hang below the end of ``lead``.

    Tokens longer than a line are cut, and lines past ``most_lines`` left out with an ellipsis;
    a verbose page folds and shows them whole.
    """
    lead = cut(clean(lead), page.width // 3)
    hang = indent + cells(lead)
    lines = _wrap(clean(text), page.width - hang, is_whole=page.is_verbose)
    if len(lines) > page.most(most_lines):
        last = cut(lines[most_lines - 1], page.width - hang - _GAP)
        lines = [*lines[: most_lines - 1], f"{last} {_ELLIPSIS}"]
    first, *others = lines or [""]
    return [
        (" " * indent + lead + first).rstrip(),
        *((" " * hang + line).rstrip() for line in others),
    ]


def _wrap(text: str, width: int, *, is_whole: bool) -> list[str]:
    lines: list[str] = []
    room = 0
    for word in text.split(" "):
        for piece in _fold(word, width) if is_whole else [cut(word, width)]:
            needed = cells(piece)
            if lines and needed < room:
                lines[-1] += f" {piece}"
                room -= needed + 1
            else:
                lines.append(piece)
                room = width - needed
    return lines


def _fold(word: str, width: int) -> list[str]:
    pieces = []
    while cells(word) > width:
        head = _head(word, width)
        pieces.append(head)
        word = word[len(head) :]
    return [*pieces, word]


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], page: Page, *, yielding: Sequence[int]
) -> list[str]:
    """Lay cells out in columns that fit the page, cutting the ``yielding`` columns first."""
    cleaned = [
        [cut(_narrow(clean(cell)), _LONGEST_CELL) for cell in row] for row in (headers, *rows)
    ]
    widths = [max(map(len, column)) for column in zip(*cleaned, strict=True)]
    _shrink(widths, yielding, _LEAST_YIELDING, page.width)
    _shrink(widths, range(len(widths)), _LEAST_COLUMN, page.width)
    fitted = [
        [cut(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cleaned
    ]
    drawn = tabulate(fitted, tablefmt="plain", disable_numparse=True)
    return [line.rstrip() for line in drawn.splitlines()]


def _shrink(widths: list[int], columns: Sequence[int], least: int, width: int) -> None:
    """Take from the widest of these columns until all fit or none has more than ``least``."""
    room = width - _GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths[column] for column in columns) > least:
        widest = max(columns, key=lambda column: widths[column])
        widths[widest] -= 1


def _narrow(text: str) -> str:
    """Escape what does not fill exactly one cell, so that columns align whatever the library."""
    return "".join(
        char if _char_cells(char) == 1 and not unicodedata.combining(char) else escape(char)
        for char in text
    )
