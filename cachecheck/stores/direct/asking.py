"""Ask a server one thing: with the errors of redis-py translated, or whether it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable
from cachecheck.model import Failed
from cachecheck.stores.failures import CREDENTIALS_REFUSED
from cachecheck.stores.redis.failures import foreign_exceptions, translate

if TYPE_CHECKING:
    import redis

    from cachecheck.stores.base import RawReading


@runtime_checkable
class Several(Protocol):
    """A store of several servers, some of which may be out of reach."""

    def reach(self, probe: str) -> None:
        """Ask for a key; raises ``StoreError`` where no server answers."""
        ...


def ask(client: redis.Redis, *command: str) -> Any:
    """Send one command; raises ``StoreError``, in whose text nothing of what was sent stands."""
    try:
        return client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py
    except foreign_exceptions() as exc:
        raise translate(exc, command[0]) from None
    except (TypeError, ValueError):  # redis-py makes connections of its parameters when needed
        raise StoreError("its parameters are not valid") from None


def raise_unreached(reading: RawReading) -> None:
    """Raise ``StoreError`` where a reading says that there is no server, or none that lets us in.

    Rules that forbid one key, or one command, say that there is one.
    """
    match reading:
        case Failed(reason="unreachable", detail=detail):
            raise StoreUnreachable(detail)
        case Failed(reason="denied", detail=detail) if detail == CREDENTIALS_REFUSED:
            raise StoreDenied(detail)
        case _:
            return
