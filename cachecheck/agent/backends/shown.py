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
    r"pass|pwd|(?:^|_)pw(?:$|_)|secret|token|cred|user|auth|sasl|private|crypt|sign|salt|dsn"
    r"|(?:^|_|api|access|secret)key$|(?:^|_)pin(?:$|_)",
    re.IGNORECASE,
)
_HARMLESS_TEXT = frozenset(
    {
        "behaviors",
        "client_class",
        "client_name",
        "compressor",
        "connection_class",
        "connection_factory",
        "connection_pool_class",
        "db",
        "distribution",
        "encoding",
        "encoding_errors",
        "hash",
        "hasher",
        "health_check_interval",
        "key_prefix",
        "lib_name",
        "lib_version",
        "parser_class",
        "pickle_version",
        "pool_class",
        "protocol",
        "redis_client_class",
        "sentinels",
        "serde",
        "serializer",
        "socket_connect_timeout",
        "socket_timeout",
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "timeout",
    }
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
    """Show options by name, those of nested mappings too.

    A text is shown where the option is known to be harmless, and of any other only that it is set:
    a digest of it could be guessed, and one under the site's secret would differ where secrets do.
    Numbers, flags and classes are shown unless the name, or that of what holds it, looks secret.
    """
    return tuple(_flattened(options, prefix, is_secret=False))


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


def _flattened(
    options: Mapping[str, object], prefix: str, *, is_secret: bool
) -> Iterator[tuple[str, str]]:
    for name, value in sorted(((str(key), held) for key, held in options.items()), key=_by_name):
        is_hidden = is_secret or _is_secret(name)
        if isinstance(value, Mapping) and value:
            yield from _flattened(value, f"{prefix}{name}.", is_secret=is_hidden)
        else:
            shown = _hidden(value) if is_hidden else _value(value, name.lower() in _HARMLESS_TEXT)
            yield f"{prefix}{name}", shown[:_MAX_CHARS]


def _by_name(option: tuple[str, object]) -> str:
    return option[0]


def _is_secret(name: str) -> bool:
    return name.lower() not in _HARMLESS_TEXT and _SECRET.search(name) is not None


def _hidden(value: object) -> str:
    return "set" if value else "not set"


def _value(value: object, is_text_shown: bool) -> str:  # noqa: FBT001  kept to this file
    match value:
        case bytes() | str():
            return _text(value) if is_text_shown else _hidden(value)
        case bool() | int() | float() | None:
            return str(value)
        case list() | tuple() | set() | frozenset():
            return ", ".join(_value(item, is_text_shown) for item in value)
        case Mapping():
            inner = _flattened(value, "", is_secret=False)
            return ", ".join(f"{name}: {shown}" for name, shown in inner)
        case _:
            return dotted(value)


def _text(value: bytes | str) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return shown_url(text) if "://" in text or "@" in text else text
