"""Settings as they may be shown: each alone, comparable between nodes, and without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.agent.backends.base import Pairs

_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|user|auth|sasl|private|api_?key|access_?key", re.IGNORECASE
)
_DATABASE = re.compile(r"/[0-9]+")
_MAX_CHARS = 300


def shown_url(url: str) -> str:
    """Show scheme, host, port and database of a URL, or the path of a socket; no credentials.

    An ``@`` outside its place comes of a password that was not quoted: then the scheme alone.
    """
    try:
        return _shown(urlsplit(url))
    except ValueError:
        return f"{url.partition('://')[0]}://…" if "://" in url else "…"


def shown_options(options: Mapping[str, object], prefix: str = "") -> Pairs:
    """Show options by name; of those that may be secret, only that they are set."""
    return tuple(_flattened(options, prefix))


def dotted(thing: object) -> str:
    """Name a class or function by its path, anything else by its class."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{getattr(named, '__qualname__', '?')}"


def _shown(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    if any("@" in rest for rest in (parts.path, parts.query, parts.fragment)):
        return f"{parts.scheme}://…"
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    if not re.fullmatch(r"[\w.-]*(?::[0-9]+)?|\[[0-9a-fA-F:.]+\](?::[0-9]+)?", host):
        return f"{parts.scheme}://…"
    database = re.search(r"(?:^|&)db=([0-9]+)", parts.query)
    path = parts.path if _DATABASE.fullmatch(parts.path) else ""
    return f"{parts.scheme}://{host}{f'/{database[1]}' if database else path}"


def _flattened(options: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for name in sorted(map(str, options)):
        value = options.get(name)
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif _SECRET.search(name):
            yield f"{prefix}{name}", "not set" if value in {None, ""} else "set"
        else:
            yield f"{prefix}{name}", _value(value)[:_MAX_CHARS]


def _value(value: object) -> str:
    match value:
        case str():
            return shown_url(value) if "://" in value or "@" in value else value
        case bytes():
            return _value(value.decode(errors="replace"))
        case bool() | int() | float() | None:
            return str(value)
        case list() | tuple():
            return ", ".join(_value(item) for item in value)
        case _:
            return dotted(value)
