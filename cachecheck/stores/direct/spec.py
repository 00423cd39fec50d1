"""Which store is read directly, and how: a value without behaviour, and how people are shown it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Meta

from cachecheck.model import Value

Kind = Literal["redis", "sentinel", "cluster", "memcached"]
Host: TypeAlias = tuple[str, int]

DEFAULT_PORTS: dict[Kind, int] = {
    "redis": 6379,
    "sentinel": 26379,
    "cluster": 6379,
    "memcached": 11211,
}
TIMEOUT_SECONDS = 2.0

_NEVER_SHOWN = frozenset({"password", "password_file"})


class StoreSpec(Value, frozen=True, kw_only=True):
    """A store that is read without a Django node: what it is called and how it is reached.

    It is asked at ``hosts``, or at the Unix socket ``path``; ``service`` is what Sentinels call it.
    ``form`` says how stored keys are made of logical ones, with ``{key}`` in place of these; None:
    they are the same. ``cache`` is the alias that it is compared under. ``member`` None is the
    server that takes writes (all of them, in a cluster), else one of the replicas that
    ``members`` found. The password is never shown; ``password_file`` is for the caller to read.
    """

    name: str
    kind: Kind
    hosts: tuple[Host, ...] = ()
    path: str | None = None
    service: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    is_tls: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    cache: str = "default"
    application: str = ""
    form: str | None = None
    member: str | None = None
    with_replicas: bool = True
    timeout_seconds: Annotated[float, Meta(gt=0)] = TIMEOUT_SECONDS

    def __repr__(self) -> str:
        """Show all but the credentials."""
        shown = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"StoreSpec({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show all but the credentials in tracebacks of Rich as well."""
        shown = (name for name in self.__struct_fields__ if name not in _NEVER_SHOWN)
        return [(name, getattr(self, name)) for name in shown]


def with_password(spec: StoreSpec, text: str) -> StoreSpec:
    """Give the store with this password; one line end after it, as files have, is no part of it."""
    password = text.removesuffix("\n").removesuffix("\r")
    return msgspec.structs.replace(spec, password=password)


def address(spec: StoreSpec) -> str:
    """Say for people where the store is, without credentials."""
    if spec.path is not None:
        return f"unix://{quote(spec.path)}" + (f"?db={spec.db}" if spec.db else "")
    hosts = ",".join(map(shown_host, spec.hosts))
    return f"{_scheme(spec)}://{hosts}{_path(spec)}"


def url(spec: StoreSpec) -> str:
    """Write the store as ``parse_store`` reads it, without credentials or where they lie."""
    where = address(spec)
    told = {
        "form": spec.form,
        "cache": None if spec.cache == "default" else spec.cache,
        "application": spec.application or None,
        "replicas": None if spec.with_replicas else "no",
    }
    words = [
        f"{name}={quote(word, safe='/:{}')}" for name, word in told.items() if word is not None
    ]
    if not words:
        return where
    return f"{where}{'&' if '?' in where else '?'}{'&'.join(words)}"


def shown_host(host: Host) -> str:
    """Write a host and its port, an IPv6 address in brackets."""
    name, port = host
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _scheme(spec: StoreSpec) -> str:
    match spec.kind:
        case "memcached":
            return "memcached"
        case "redis":
            return "rediss" if spec.is_tls else "redis"
        case _:
            return f"{'rediss' if spec.is_tls else 'redis'}+{spec.kind}"


def _path(spec: StoreSpec) -> str:
    match spec.kind:
        case "redis":
            return f"/{spec.db}"
        case "sentinel":
            return f"/{quote(spec.service or '', safe='')}/{spec.db}"
        case _:
            return ""
