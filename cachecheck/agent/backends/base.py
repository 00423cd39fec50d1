"""What the agent asks of a Django cache backend: one subclass, in one file, for each kind."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, ClassVar

from cachecheck.agent.namespaces import observe, recover
from cachecheck.errors import StoreUnsupported
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.cache.backends.base import BaseCache

    from cachecheck.inert import Encoded
    from cachecheck.model import Member, Namespace, Naming, Scope, ServerCounters
    from cachecheck.stores.base import Store

Pairs = tuple[tuple[str, str], ...]

_WHOLE = re.compile(r"-?[0-9]{1,3}")


class Backend:
    """One cache alias of this process, as cachecheck looks at it.

    ``cache`` is the application's own backend object; it is asked for its settings and for
    ``make_key`` and never used to read or write entries.
    """

    kind: ClassVar[str] = "unsupported"
    scope: ClassVar[Scope] = "network"
    naming: ClassVar[Naming] = "stored"
    is_asked_for_identity: ClassVar[bool] = True  # else its identity does not show that it answers

    def __init__(self, alias: str, cache: BaseCache) -> None:
        self.alias = alias
        self.cache = cache

    def store(self) -> Store:
        """Open the store behind the alias, on connections of its own; the caller closes it."""
        raise NotImplementedError

    def members(self, store: Store) -> tuple[Member, ...]:
        """Give the servers of the open store, where it has several that each hold all of it."""
        del store
        return ()

    def open_member(self, address: str) -> Store:
        """Open one of the members by itself; raises ``StoreError`` where there is none such."""
        raise StoreUnsupported(f"this cache has no server {address}")

    def settings(self) -> Pairs:
        """Give the settings that should be equal everywhere, each alone, without secrets."""
        return ()

    def codec(self) -> Pairs:
        """Give what decides how values become bytes: serializer, compressor, their options."""
        return ()

    def pickle_protocol(self) -> int | None:
        """Give the protocol of the pickles that are written; None: none are, or it is not known."""
        told = dict(self.codec()).get("pickle_protocol", "")
        if not _WHOLE.fullmatch(told):
            return None
        return pickle.HIGHEST_PROTOCOL if told.startswith("-") else int(told)

    def needs(self) -> tuple[str, ...]:
        """Name the libraries, out of ``describe.LIBRARIES``, that reading entries takes."""
        return ()

    def hides_errors(self) -> bool:
        """Say whether the site sees misses where the store does not answer."""
        return False

    def routing(self, probe_keys: Sequence[str]) -> Pairs:
        """Give the server that each logical probe key goes to; empty where there is one server."""
        del probe_keys
        return ()

    def routing_unknown(self) -> str | None:
        """Say why ``routing`` is empty though there are several servers; None: it is not."""
        return None

    def dead_servers(self) -> tuple[str, ...]:
        """Name the servers that the application's client leaves out now, where it does so."""
        return ()

    def server_counters(self, store: Store) -> ServerCounters | None:
        """Give the hits and misses that the server counted, where it does and says so."""
        del store
        return None

    def payload(self, stored: Stored) -> bytes | Encoded:
        """Give the encoded value inside the stored bytes, executing nothing of it.

        Bytes alone are a pickle. Raises ``InertUnreadable`` for a codec that is not known,
        ``InertUndecodable`` where the application cannot read it either, ``InertTooLarge`` past a
        bound.
        """
        raise NotImplementedError

    def encoded(self, value: object) -> Stored:
        """Put a value into the form in which the cache would store it, storing nothing.

        The site's own serializer runs, and may raise anything.
        """
        protocol = getattr(self.cache, "pickle_protocol", pickle.HIGHEST_PROTOCOL)
        return Stored(value=pickle.dumps(value, protocol), expires_at=None)

    def namespace(self, probe_key: str) -> Namespace:
        """Observe the rule from logical to stored keys on one probe key."""
        return observe(self.cache, probe_key)

    def stored_key(self, logical: str) -> str:
        """Turn a logical key into the stored one, as the application would."""
        return str(self.cache.make_and_validate_key(logical))

    def logical_key(self, stored: str, namespace: Namespace) -> str | None:
        """Recover the logical key; None where the stored key is outside this namespace."""
        return recover(stored, namespace)
