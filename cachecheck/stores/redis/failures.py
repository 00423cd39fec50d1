"""The one boundary at which exceptions of redis-py and valkey-py become ``StoreError``.

Their texts stay behind: a server that does not know AUTH quotes its arguments in its answer.
"""

from __future__ import annotations

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.model import Failed
from cachecheck.stores.failures import CREDENTIALS_REFUSED, as_reading, network_reason
from cachecheck.stores.redis.library import exceptions

KEY_FORBIDDEN = "the access rules forbid this key"
NOT_SERVED = "this server of a Redis Cluster does not serve the key"


def foreign_exceptions() -> tuple[type[Exception], ...]:
    """Give the roots of what the client libraries raise."""
    return *exceptions("RedisError", "RedisClusterException"), OSError


def translate(exc: Exception, command: str) -> StoreError:
    """Turn an exception, raised or answered, into a ``StoreError``."""
    if isinstance(exc, exceptions("ResponseError")):
        return _answered(exc, command)
    if isinstance(exc, OSError):
        return StoreUnreachable(network_reason(exc))
    if isinstance(exc, exceptions("RedisError")):
        return _unanswered(exc, command)
    return StoreError(f"{command} failed: {type(exc).__name__}")


def reading_of(exc: Exception, command: str) -> Failed:
    """Give the reading of a key whose command was answered with this error.

    Rules that forbid this key say that it is another's; those that forbid the command say nothing
    of the key, which could then not be read.
    """
    if str(exc).startswith("WRONGTYPE"):
        return Failed(reason="foreign", detail="not a string")
    failure = translate(exc, command)
    if is_command_refused(exc):
        return Failed(reason="unsupported", detail=failure.reason)
    return as_reading(failure)


def is_command_refused(exc: object) -> bool:
    """Say whether the server knows no such command, or forbids it whatever the key."""
    if isinstance(exc, exceptions("NoPermissionError")):
        return not _is_about_key(exc)
    return isinstance(exc, exceptions("ResponseError")) and _is_unknown(exc)


def _unanswered(exc: Exception, command: str) -> StoreError:
    if isinstance(exc, exceptions("AuthenticationError", "AuthorizationError")):
        return StoreDenied(CREDENTIALS_REFUSED)
    if isinstance(exc, exceptions("BusyLoadingError")):
        return StoreUnreachable("the server is still loading its data")
    if isinstance(exc, exceptions("TimeoutError")):
        return StoreUnreachable("timed out")
    if isinstance(exc, exceptions("ConnectionError")):
        return StoreUnreachable(network_reason(exc.__cause__ or exc.__context__))
    return StoreError(f"{command} failed: {type(exc).__name__}")


def _answered(exc: Exception, command: str) -> StoreError:
    if isinstance(exc, exceptions("AuthenticationWrongNumberOfArgsError")):
        return StoreDenied(CREDENTIALS_REFUSED)
    if isinstance(exc, exceptions("NoPermissionError")):
        return StoreDenied(_forbidden(exc, command))
    if isinstance(exc, exceptions("MasterDownError")):
        return StoreUnreachable("the replica has lost its primary")
    if isinstance(exc, exceptions("AskError", "ClusterError")):
        return StoreUnsupported(NOT_SERVED)
    if _is_unknown(exc):
        return StoreUnsupported(f"the server does not know {command}")
    return StoreError(f"{command} was answered with {_code(exc)}")


def _code(exc: Exception) -> str:
    code = str(exc).partition(" ")[0]
    return code if code.isupper() and code.isalpha() else "an error"


def _forbidden(exc: Exception, command: str) -> str:
    return KEY_FORBIDDEN if _is_about_key(exc) else f"the access rules forbid {command}"


def _is_about_key(exc: Exception) -> bool:
    return "access" in str(exc)  # "no permissions to access one of the keys used as arguments"


def _is_unknown(exc: Exception) -> bool:
    return str(exc).lower().startswith(("unknown command", "unknown subcommand"))


def was_refused(answer: object) -> bool:
    """Say whether a command was refused before it looked its key up."""
    return isinstance(answer, Exception) and not str(answer).startswith("WRONGTYPE")
