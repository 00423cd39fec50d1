"""The configuration file: fleets and defaults, in TOML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec

from cachecheck.coordinator.fleet import (
    AnyNode,
    StoreNode,
    Transport,
    demand_distinct,
    is_store,
    parse_any,
)
from cachecheck.errors import ConfigError, UsageError
from cachecheck.model import Value

_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_LAST_IN_PATH = re.compile(r"`\$.*\.(\w+)[^`.]*`$")
_PASSWORD_FILE = re.compile(r"([?&]password_file=)([^&]+)")
_OF_STORES = (
    "username",
    "password_file",
    "cache",
    "application",
    "prefix",
    "version",
    "form",
    "replicas",
)
_OF_NODES = ("host_header", "headers", "secret_file")


class NodeTable(Value, frozen=True, kw_only=True):
    """``[[fleets.NAME.nodes]]``: a node with what differs from the fleet's settings.

    From ``username`` on the settings are those of a store that is read directly.
    """

    url: str
    name: str | None = None
    host_header: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    client_cert: str | None = None
    secret_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    cache: str | None = None
    application: str | None = None
    prefix: str | None = None
    version: int | str | None = None
    form: str | None = None
    replicas: bool | None = None


class FleetTable(Value, frozen=True, kw_only=True):
    """``[fleets.NAME]``: a fleet, and how its nodes are reached."""

    nodes: tuple[str | NodeTable, ...] = ()
    secret_file: str | None = None
    keyid: str | None = None
    host_header: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    client_cert: str | None = None


class DefaultsTable(Value, frozen=True, kw_only=True):
    """``[defaults]``: what the options of the command line are where they are not given."""

    cache: tuple[str, ...] | None = None
    key: tuple[str, ...] | None = None
    match: str | None = None
    sample: int | None = None
    max_scan: int | None = None
    ttl_tolerance: float | None = None
    lag_tolerance: float | None = None
    settle: float | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    max_findings: int | None = None
    fail_on: str | None = None
    timeout: float | None = None
    deadline: float | None = None
    concurrency: int | None = None
    rate: float | None = None
    rollout_grace: float | None = None
    require_coverage: float | None = None


_Table = TypeVar("_Table", NodeTable, FleetTable)


class Config(Value, frozen=True, kw_only=True):
    """A whole configuration file; ``redact`` lists key patterns that reports show as digests."""

    fleets: dict[str, FleetTable] = {}
    defaults: DefaultsTable = DefaultsTable()
    redact: tuple[str, ...] = ("django.contrib.sessions.*",)


def load(path: Path) -> Config:
    """Read a configuration; raises ``ConfigError`` with file and line.

    Files that it names are looked for beside it, unless their paths are absolute.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "is not UTF-8 text"
        raise ConfigError(f"cannot be read: {reason}", path=str(path)) from exc
    return _anchored(parse(text, str(path)), path.parent)


def _anchored(config: Config, folder: Path) -> Config:
    fleets = {
        name: _beside(folder, fleet, nodes=tuple(_anchored_node(folder, n) for n in fleet.nodes))
        for name, fleet in config.fleets.items()
    }
    return msgspec.structs.replace(config, fleets=fleets)


def _anchored_node(folder: Path, node: str | NodeTable) -> str | NodeTable:
    if isinstance(node, str):
        return _anchored_word(folder, node)
    return _beside(folder, node, url=_anchored_word(folder, node.url))


def _anchored_word(folder: Path, word: str) -> str:
    """Look for the file that the URL of a store names beside the configuration, too."""
    if not is_store(word):
        return word
    return _PASSWORD_FILE.sub(
        lambda found: f"{found[1]}{quote(str(folder / Path(unquote(found[2])).expanduser()))}", word
    )


def _beside(folder: Path, table: _Table, **changed: Any) -> _Table:
    files = {
        name: str(folder / Path(named).expanduser())
        for name in ("secret_file", "ca_file", "client_cert", "password_file")
        if (named := getattr(table, name, None)) is not None
    }
    return msgspec.structs.replace(table, **files, **changed)


def parse(text: str, path: str) -> Config:
    """Decode the text of a configuration, strictly."""
    import tomllib  # noqa: PLC0415  a node list needs no file

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise _syntax_error(str(exc), text, path) from exc
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as exc:
        raise ConfigError(_plain(str(exc)), path=path, line=_line_of(str(exc), text)) from exc


def choose_fleet(config: Config, name: str | None, path: str) -> FleetTable:
    """Choose a fleet by name, or the only one there is."""
    known = ", ".join(sorted(config.fleets)) or "none"
    if name is None:
        if len(config.fleets) != 1:
            raise UsageError(
                f"name a fleet with --fleet, or nodes: {path} has {len(config.fleets)} fleets "
                f"({known})"
            )
        return next(iter(config.fleets.values()))
    if name not in config.fleets:
        raise UsageError(f"no fleet {name!r} in {path}: there are {known}")
    return config.fleets[name]


def nodes_of(fleet: FleetTable, defaults: Transport) -> tuple[tuple[AnyNode, str | None], ...]:
    """Give the nodes of a fleet, each with the secret file of its own, if it has one.

    Of a store that is the file of its password.
    """
    tables = tuple(
        NodeTable(url=entry) if isinstance(entry, str) else entry for entry in fleet.nodes
    )
    nodes = tuple(_node(table, _transport(table, fleet, defaults)) for table in tables)
    demand_distinct(nodes)
    return tuple(
        (node, node.spec.password_file if isinstance(node, StoreNode) else table.secret_file)
        for node, table in zip(nodes, tables, strict=True)
    )


def _node(table: NodeTable, transport: Transport) -> AnyNode:
    """Make a node of its table, with what is said of a store in the place where its URL has it."""
    given = {name: getattr(table, name) for name in _OF_STORES if getattr(table, name) is not None}
    if not is_store(table.url):
        if given:
            first = next(iter(given))
            raise UsageError(f"{table.name or 'a node'}: {first} is said of stores alone")
        return parse_any(table.url, transport, table.name)
    for name in _OF_NODES:
        if getattr(table, name):
            raise UsageError(f"{table.name or 'a store'}: {name} is said of Django nodes alone")
    return parse_any(_address(table.url, given), transport, table.name)


def _address(address: str, given: dict[str, Any]) -> str:
    """Write settings into the URL of a store, which is read with one set of rules."""
    settings = dict(given)
    if username := settings.pop("username", None):
        scheme, _, rest = address.partition("://")
        address = f"{scheme}://{quote(username, safe='')}@{rest}"
    words = [f"{name}={_word(value)}" for name, value in settings.items()]
    if not words:
        return address
    return f"{address}{'&' if '?' in address else '?'}{'&'.join(words)}"


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else quote(str(value))


def _transport(table: NodeTable, fleet: FleetTable, defaults: Transport) -> Transport:
    """Combine what the command line, the fleet and the node say; the first of them wins."""
    headers = (*fleet.headers.items(), *table.headers.items(), *defaults.headers)
    return Transport(
        host_header=defaults.host_header or table.host_header or fleet.host_header,
        headers=tuple({name.lower(): value for name, value in headers}.items()),
        ca_file=defaults.ca_file or table.ca_file or fleet.ca_file,
        client_cert=defaults.client_cert or table.client_cert or fleet.client_cert,
    )


def _syntax_error(message: str, text: str, path: str) -> ConfigError:
    found = _LINE.search(message)
    line = int(found[1]) if found else text.count("\n") + 1
    return ConfigError(f"is not TOML: {_LINE.sub('', message).strip()}", path=path, line=line)


def _plain(message: str) -> str:
    return message.replace("Object contains unknown field", "unknown setting").replace(" - at", ",")


def _line_of(message: str, text: str) -> int | None:
    """Find the line that a decoding error is about, by the name that it mentions."""
    named = _UNKNOWN.search(message) or _LAST_IN_PATH.search(message)
    if named is None:
        return None
    name = re.escape(named[1])
    found = re.search(rf"^[^#\n]*?\b{name}\b[\"']?\s*(=|\]|\.)", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else None
