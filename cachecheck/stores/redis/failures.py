"""The one boundary at which exceptions of redis-py become ``StoreError``.

Their texts stay behind: a server that does not know AUTH quotes its arguments in its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.model import Failed
from cachecheck.stores.failures import CREDENTIALS_REFUSED, as_reading, network_reason

if TYPE_CHECKING:
    import redis.exceptions

_IN_PIPELINE = "caused error: "
KEY_FORBIDDEN = "the access rules forbid this key"
NOT_SERVED = "this server of a Redis Cluster does not serve the key"


def foreign_exceptions() -> tuple[type[Exception], ...]:
    """Give the roots of what redis-py raises."""
    from redis.exceptions import RedisClusterException, RedisError  # noqa: PLC0415  on first need

    return RedisError, RedisClusterException, OSError


def translate(exc: Exception, command: str) -> StoreError:
    """Turn an exception, raised or answered in a pipeline, into a ``StoreError``."""
    from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415  on first need

    match exc:
        case ResponseError():
            return _answered(exc, command)
        case OSError():
            return StoreUnreachable(network_reason(exc))
        case RedisError():
            return _unanswered(exc, command)
        case _:
            return StoreError(f"{command} failed: {type(exc).__name__}")


def reading_of(exc: Exception, command: str) -> Failed:
    """Give the reading of a key whose command was answered with this error.

    Rules that forbid this key say that it is another's; those that forbid the command say nothing
    of the key, which could then not be read.
    """
    if _text(exc).startswith("WRONGTYPE"):
        return Failed(reason="foreign", detail="not a string")
    failure = translate(exc, command)
    if is_command_refused(exc):
        return Failed(reason="unsupported", detail=failure.reason)
    return as_reading(failure)


def is_command_refused(exc: object) -> bool:
    """Say whether the server knows no such command, or forbids it whatever the key."""
    from redis.exceptions import NoPermissionError, ResponseError  # noqa: PLC0415  on first need

    if isinstance(exc, NoPermissionError):
        return not _is_about_key(exc)
    return isinstance(exc, ResponseError) and _is_unknown(exc)


def _unanswered(exc: redis.exceptions.RedisError, command: str) -> StoreError:
    from redis import exceptions  # noqa: PLC0415  on first need

    match exc:
        case exceptions.AuthenticationError() | exceptions.AuthorizationError():
            return StoreDenied(CREDENTIALS_REFUSED)
        case exceptions.BusyLoadingError():
            return StoreUnreachable("the server is still loading its data")
        case exceptions.TimeoutError():
            return StoreUnreachable("timed out")
        case exceptions.ConnectionError():
            return StoreUnreachable(network_reason(exc.__cause__ or exc.__context__))
        case _:
            return StoreError(f"{command} failed: {type(exc).__name__}")


def _answered(exc: redis.exceptions.ResponseError, command: str) -> StoreError:
    from redis import exceptions  # noqa: PLC0415  on first need

    match exc:
        case exceptions.AuthenticationWrongNumberOfArgsError():
            return StoreDenied(CREDENTIALS_REFUSED)
        case exceptions.NoPermissionError():
            return StoreDenied(_forbidden(exc, command))
        case exceptions.MasterDownError():
            return StoreUnreachable("the replica has lost its primary")
        case exceptions.AskError() | exceptions.ClusterError():
            return StoreUnsupported(NOT_SERVED)
        case _ if _is_unknown(exc):
            return StoreUnsupported(f"the server does not know {command}")
        case _:
            return StoreError(f"{command} was answered with {_code(exc)}")


def _code(exc: Exception) -> str:
    code = _text(exc).partition(" ")[0]
    return code if code.isupper() and code.isalpha() else "an error"


def _forbidden(exc: Exception, command: str) -> str:
    return KEY_FORBIDDEN if _is_about_key(exc) else f"the access rules forbid {command}"


def _is_about_key(exc: Exception) -> bool:
    return "access" in _text(exc)  # "no permissions to access one of the keys used as arguments"


def _is_unknown(exc: Exception) -> bool:
    return _text(exc).lower().startswith(("unknown command", "unknown subcommand"))


def _text(exc: Exception) -> str:
    return str(exc).rpartition(_IN_PIPELINE)[2]
