"""Read the URL of a store: ``redis://host:6379/0?prefix=shop`` and its kin.

It is split by hand: ``urllib.parse`` drops line ends, and knows one host and one port.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import unquote

from msgspec.structs import replace

from cachecheck.errors import UsageError
from cachecheck.stores.direct.spec import DEFAULT_PORTS, StoreSpec, address
from cachecheck.stores.namespaces import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.stores.direct.spec import Host, Kind

MAX_URL_CHARS = 4000
MAX_HOSTS = 200
MAX_NAME_CHARS = 120

_SCHEMES: dict[str, tuple[Kind, bool]] = {
    "redis": ("redis", False),
    "rediss": ("redis", True),
    "unix": ("redis", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
    "memcached": ("memcached", False),
}
_PARAMETERS = frozenset(
    {"prefix", "version", "form", "cache", "application", "db", "replicas", "password_file"}
)
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%a-z]+)\]|(?P<name>[^\[\]:]*))(?::(?P<port>.*))?")
_SPACE = re.compile(r"[\x00-\x20\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DATABASE = re.compile("[0-9]{1,5}")
_PORT = re.compile("[0-9]{1,5}")
_MAX_PORT = 65535
_TO_BE_HIDDEN = (
    "a password in a URL can be seen by everybody who lists the processes: put it into a file and "
    "write ?password_file=FILE (or password_file in the configuration), or into the variable "
    "CACHECHECK_STORE_PASSWORD"
)


class _Parts(NamedTuple):
    scheme: str
    user: str | None
    hosts: str
    path: str
    parameters: dict[str, str]


def parse_store(
    word: str,
    *,
    name: str | None = None,
    ca_file: str | None = None,
    client_cert: str | None = None,
) -> StoreSpec:
    """Read the URL of a store; raises ``UsageError`` that says what to write instead.

    Neither files nor variables are read: ``password_file`` is left for the caller. Without a
    ``name`` the store goes by its address.
    """
    parts = _split(word)
    kind, is_tls = _SCHEMES[parts.scheme]
    is_socket = parts.scheme == "unix"
    service, db = _place(parts, kind)
    spec = StoreSpec(
        name=name or "",
        kind=kind,
        hosts=() if is_socket else tuple(_hosts(parts, kind)),
        path=_socket(parts) if is_socket else None,
        service=service,
        db=db,
        username=_username(parts, kind),
        password_file=_password_file(parts, kind),
        is_tls=is_tls,
        ca_file=ca_file if is_tls else None,
        client_cert=client_cert if is_tls else None,
        cache=_given(parts, "cache", "default"),
        application=parts.parameters.get("application", ""),
        form=_form(parts),
        with_replicas=_with_replicas(parts),
    )
    return spec if name else _named(spec)


def _named(spec: StoreSpec) -> StoreSpec:
    where = address(spec)
    return replace(spec, name=where if len(where) <= MAX_NAME_CHARS else f"{where[:119]}…")


def _split(word: str) -> _Parts:
    scheme, separator, rest = word.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise UsageError(f"this is not the URL of a store; it must begin with one of {known}")
    if len(word) > MAX_URL_CHARS:
        _refuse(scheme, f"it has more than {MAX_URL_CHARS} characters")
    if _SPACE.search(word) or _CONTROL.search(unquote(word)) or "#" in word:
        _refuse(scheme, "no control characters, and spaces and # only as %20 and %23")
    body, _, query = rest.partition("?")
    authority, _, path = body.partition("/")
    login, has_login, hosts = authority.rpartition("@")
    if ":" in login or "%3a" in login.lower():
        raise UsageError(f"{scheme}://…: {_TO_BE_HIDDEN}")
    return _Parts(
        scheme=scheme,
        user=unquote(login) if has_login else None,
        hosts=hosts,
        path=unquote(path),
        parameters=_parameters(scheme, query),
    )


def _parameters(scheme: str, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in {"password", "username"}:
            raise UsageError(f"{scheme}://…: {_TO_BE_HIDDEN}; the user stands before the @")
        if name not in _PARAMETERS:
            # what is wrong is not quoted: it may be a part of a password
            _refuse(scheme, f"what may follow the ? is {', '.join(sorted(_PARAMETERS))}")
        if name in found:
            _refuse(scheme, f"{name} is given twice")
        found[name] = unquote(value)
    return found


def _hosts(parts: _Parts, kind: Kind) -> Iterator[Host]:
    words = parts.hosts.split(",")
    if len(words) > 1 and kind == "redis":
        _refuse(parts.scheme, "one host; a list is for redis+sentinel, redis+cluster or memcached")
    if len(words) > MAX_HOSTS:
        _refuse(parts.scheme, f"at most {MAX_HOSTS} hosts")
    for word in words:
        found = _HOST.fullmatch(word)
        if found is None:
            _refuse(parts.scheme, "a host is a name or an address (IPv6 in brackets) and a port")
        host = found["six"] or unquote(found["name"] or "")
        if not host or "/" in host:
            _refuse(parts.scheme, "a host is missing")
        yield host, _port(parts.scheme, found["port"], DEFAULT_PORTS[kind])


def _port(scheme: str, word: str | None, default: int) -> int:
    if word is None:
        return default
    if not _PORT.fullmatch(word) or not 1 <= int(word) <= _MAX_PORT:
        _refuse(scheme, f"a port is a number from 1 to {_MAX_PORT}")
    return int(word)


def _place(parts: _Parts, kind: Kind) -> tuple[str | None, int]:
    """Give the service and the database number, wherever this kind of URL has them."""
    path = parts.path
    if parts.scheme == "unix":
        return None, _database(parts, parts.parameters.get("db", ""))
    if "db" in parts.parameters:
        _refuse(parts.scheme, "the number of the database stands in the path: …/2")
    match kind:
        case "redis":
            return None, _database(parts, path)
        case "sentinel":
            service, _, db = path.partition("/")
            if not service:
                _refuse(parts.scheme, "the service is missing: redis+sentinel://host:26379/service")
            return service, _database(parts, db)
        case _:
            if path not in {"", "0"} or (path and kind == "memcached"):
                _refuse(parts.scheme, "there are no numbered databases")
            return None, 0


def _database(parts: _Parts, word: str) -> int:
    word = word.removesuffix("/")
    if word and not _DATABASE.fullmatch(word):
        _refuse(parts.scheme, "a database is a number, such as 0")
    return int(word or 0)


def _socket(parts: _Parts) -> str:
    if parts.hosts or not parts.path:
        _refuse(parts.scheme, "the path of a socket begins with a third slash: unix:///run/redis")
    return f"/{parts.path}"


def _username(parts: _Parts, kind: Kind) -> str | None:
    if parts.user is not None and kind == "memcached":
        _refuse(parts.scheme, "users of memcached (SASL) are not supported")
    return parts.user or None


def _password_file(parts: _Parts, kind: Kind) -> str | None:
    if "password_file" in parts.parameters and kind == "memcached":
        _refuse(parts.scheme, "passwords of memcached (SASL) are not supported")
    return _given(parts, "password_file", "") or None


def _form(parts: _Parts) -> str | None:
    given = parts.parameters
    if "form" not in given:
        if "prefix" not in given and "version" not in given:
            return None
        # as Django's own default_key_func does
        form = f"{given.get('prefix', '')}:{given.get('version') or '1'}:{KEY}"
    elif "prefix" in given or "version" in given:
        _refuse(parts.scheme, "form says all that prefix and version say: give one or the other")
    else:
        form = given["form"]
    if form.count(KEY) != 1:
        _refuse(parts.scheme, f"the form of stored keys has {KEY} in it exactly once")
    return form


def _with_replicas(parts: _Parts) -> bool:
    word = parts.parameters.get("replicas", "yes")
    if word not in {"yes", "no"}:
        _refuse(parts.scheme, "replicas is yes or no")
    return word == "yes"


def _given(parts: _Parts, name: str, default: str) -> str:
    word = parts.parameters.get(name, default)
    if name in parts.parameters and not word:
        _refuse(parts.scheme, f"{name} is empty")
    return word


def _refuse(scheme: str, why: str) -> NoReturn:
    raise UsageError(f"{scheme}://…: {why}")
