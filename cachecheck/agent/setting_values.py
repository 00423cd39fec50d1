"""What values of settings may be: predicates, and the functions of a site that settings name."""

from __future__ import annotations

from fnmatch import translate
from pathlib import Path
from re import Pattern
from re import compile as compile_pattern
from typing import Any

import msgspec

_DOTTED = compile_pattern(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


class Builder(msgspec.Struct, frozen=True, kw_only=True):
    """A key builder of the site: a callable by its dotted path, and what it is called with."""

    name: str
    path: str
    arguments: tuple[Any, ...] = ()


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """A source of truth: a function by its dotted path, for the logical keys of a pattern."""

    glob: str
    pattern: Pattern[str]
    path: str


def builder_of(name: Any, told: Any) -> Builder:
    """Read one builder; raises ``TypeError`` or ``ValueError`` where it is none."""
    path, arguments = (told, ()) if isinstance(told, str) else tuple(told)
    if not (is_text(name) and is_text(path) and _DOTTED.fullmatch(path)):
        raise ValueError
    return Builder(name=name, path=path, arguments=tuple(arguments))


def truth_of(glob: Any, path: Any) -> Truth:
    """Read one source of truth; raises ``TypeError`` or ``ValueError`` where it is none."""
    if not (is_text(glob) and is_text(path) and _DOTTED.fullmatch(path)):
        raise ValueError
    return Truth(glob=glob, pattern=compile_pattern(translate(glob)), path=path)


def is_bool(value: Any) -> bool:
    """Whether a value is True or False."""
    return isinstance(value, bool)


def is_switch_or_folder(value: Any) -> bool:
    """Whether a value switches something, or is the full path of a folder."""
    return is_bool(value) or (is_text(value) and Path(value).is_absolute() and "\0" not in value)


def is_text(value: Any) -> bool:
    """Whether a value is a text that can be sent, of 200 characters at most."""
    return isinstance(value, str) and 0 < len(value) <= 200 and is_utf8(value)  # noqa: PLR2004  as on the wire


def is_utf8(text: str) -> bool:
    """Whether a text can be sent; one from the environment may hold what is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_name(value: Any) -> bool:
    """Whether a value is a text that a header can hold."""
    return is_text(value) and value.isascii() and value.isprintable()


def is_texts(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)


def is_positive(value: Any, most: int) -> bool:
    """Whether a value is a positive whole number, at most ``most``."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
