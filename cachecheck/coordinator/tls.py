"""How nodes are trusted, and how we are known to them: certificates from files."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, TypeVar

from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def tls_context(ca_file: str | None, client_cert: str | None) -> ssl.SSLContext:
    """Make a context that verifies, with the system's certificates unless ``ca_file`` is given.

    Raises ``UsageError`` where a file cannot be used; a key with a pass phrase is one of those.
    """
    context = _loaded("--ca-file", ca_file, lambda: ssl.create_default_context(cafile=ca_file))
    if client_cert is not None:
        _loaded(
            "--client-cert",
            client_cert,
            lambda: context.load_cert_chain(client_cert, password=lambda: ""),
        )
    return context


def _loaded(option: str, file: str | None, load: Callable[[], _T]) -> _T:
    try:
        return load()
    except ssl.SSLError as exc:
        raise UsageError(f"{option} {file}: no usable certificates in PEM there") from exc
    except OSError as exc:
        raise UsageError(f"{option} {file}: {exc.strerror or 'cannot be read'}") from exc
