"""Nodes and how to address them: from words on the command line, or from a configuration."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from cachecheck.errors import UsageError
from cachecheck.model import Value
from cachecheck.signing import Keyring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.stores.direct import StoreSpec  # noqa: TC004  nothing decodes a StoreNode

DEFAULT_PATH = "/cachecheck/"
MAX_NODES = 10_000

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)=(?P<url>[^=].*)")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d+)?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_HEADER = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")  # a token of RFC 9110
_HEADER_VALUE = re.compile(r"[ -~\t]{0,8000}")
_STORE = re.compile(r"(redis|rediss|unix|memcached|rediss?\+(sentinel|cluster))://", re.IGNORECASE)


class Transport(Value, frozen=True, kw_only=True):
    """How to reach a node: host header (also the TLS name), further headers, TLS files."""

    host_header: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    client_cert: str | None = None


class Node(Value, frozen=True, kw_only=True):
    """A Django node with the agent: its name in the report, and where the agent is mounted."""

    name: str
    url: str
    transport: Transport = Transport()

    @property
    def probe_url(self) -> str:
        """The address of the probe endpoint."""
        return f"{self.url}probe"


class Target(Value, frozen=True, kw_only=True):
    """A node with the secrets that its probes are signed with."""

    node: Node
    keyring: Keyring

    @property
    def name(self) -> str:
        """What the report calls it."""
        return self.node.name

    @property
    def url(self) -> str:
        """Where its agent is mounted."""
        return self.node.url


class StoreNode(Value, frozen=True, kw_only=True):
    """A store that the coordinator reads by itself, as the node list has it: with its replicas."""

    spec: StoreSpec

    @property
    def name(self) -> str:
        """What the report calls it."""
        return self.spec.name

    @property
    def url(self) -> str:
        """Where it is, and as which cache it is read, without credentials."""
        from cachecheck.stores.direct import url  # noqa: PLC0415  --help stays quick

        return url(self.spec)


AnyNode: TypeAlias = Node | StoreNode
AnyTarget: TypeAlias = Target | StoreNode


def parse_nodes(words: Sequence[str], transport: Transport) -> tuple[AnyNode, ...]:
    """Turn the words of a node list into nodes; raises ``UsageError`` on the first bad one."""
    return demand_distinct(tuple(parse_any(word, transport) for word in words))


def parse_any(word: str, transport: Transport, name: str | None = None) -> AnyNode:
    """Turn a word into a node or, by its scheme, into a store that is read directly."""
    own_name, address = _name_apart(word, name)
    if not is_store(address):
        return parse_node(word, transport, name)
    from cachecheck.stores.direct import parse_store  # noqa: PLC0415  --help stays quick

    spec = parse_store(
        address,
        name=own_name,
        ca_file=transport.ca_file,
        client_cert=transport.client_cert,
    )
    return StoreNode(spec=spec)


def is_store(word: str) -> bool:
    """Whether a word names a store, not a Django node."""
    return _STORE.match(_name_apart(word, None)[1]) is not None


def parse_node(word: str, transport: Transport, name: str | None = None) -> Node:
    """Turn ``[NAME=]URL`` or ``[NAME=]HOST[:PORT]`` into a Django node."""
    own_name, address = _name_apart(word, name)
    url = _normal_url(address)
    _demand_sendable(transport)
    return Node(name=own_name or _default_name(url), url=url, transport=transport)


def _name_apart(word: str, name: str | None) -> tuple[str | None, str]:
    named = _NAMED.fullmatch(word.strip()) if name is None else None
    return (named["name"], named["url"].strip()) if named else (name, word.strip())


def demand_distinct(nodes: tuple[AnyNode, ...]) -> tuple[AnyNode, ...]:
    """Refuse an empty list, duplicate names and duplicate addresses."""
    if not nodes:
        raise UsageError(
            "no nodes: name them on the command line (cachecheck check web-1:8000 web-2:8000), "
            "or in a configuration (cachecheck init writes one)"
        )
    if len(nodes) > MAX_NODES:
        raise UsageError(f"{len(nodes)} nodes are more than the {MAX_NODES} one run can take")
    for kind in ("name", "url"):
        counts = Counter(getattr(node, kind) for node in nodes)
        duplicates = sorted(value for value, count in counts.items() if count > 1)
        if duplicates:
            raise UsageError(f"the node {duplicates[0]} is listed twice: name each node once")
    return nodes


def _normal_url(word: str) -> str:
    if "://" not in word:
        if not _HOST_PORT.fullmatch(word):
            raise UsageError(f"{word!r} is not a node: give a URL or HOST:PORT")
        word = f"http://{word}"
    if any(char.isspace() or not char.isprintable() for char in word):
        raise UsageError(f"{word!r} is not a URL: it has spaces or control characters")
    try:
        parts = urlsplit(word)
        port = parts.port
        hostname = (parts.hostname or "").encode("idna").decode()
        hostname.encode().decode("idna")
    except (ValueError, IndexError) as exc:  # IndexError: punycode that ends too early, Python 3.11
        raise UsageError(f"{word!r} is not a URL: {exc}") from exc
    _demand_http(word, parts.scheme)
    if not hostname or parts.query or parts.fragment:
        raise UsageError(f"{word!r} is not the URL of a node: give http(s)://HOST[:PORT][/PATH/]")
    if parts.username or parts.password:
        raise UsageError("a node's URL must not hold credentials: use --header @FILE")
    if port == 0:
        raise UsageError(f"{word!r} has port 0, where nothing can listen")
    host = f"[{hostname}]" if ":" in hostname else hostname
    port = None if port == _DEFAULT_PORTS[parts.scheme] else port
    path = DEFAULT_PATH if parts.path in {"", "/"} else f"{parts.path.rstrip('/')}/"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"


def _demand_http(word: str, scheme: str) -> None:
    if scheme not in {"http", "https"}:
        raise UsageError(
            f"{word.partition('://')[0]}:// is no scheme of a node: use http or https, or that of "
            "a store such as redis or memcached"
        )


def _demand_sendable(transport: Transport) -> None:
    """Refuse what no request can carry; values are not shown, they may be credentials."""
    if transport.host_header is not None and not _HOST_HEADER.fullmatch(transport.host_header):
        raise UsageError(
            f"--host-header {transport.host_header!r} is no host: give NAME or NAME:PORT"
        )
    for name, value in transport.headers:
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a header: use letters, digits and hyphens")
        if not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the header {name} needs a value of printable ASCII on one line")


def _default_name(url: str) -> str:
    return urlsplit(url).netloc
