"""What all commands that ask nodes have in common: which ones, and how they are reached."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from cachecheck.cli import words  # noqa: TC001  its names are evaluated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cachecheck.cli.wiring import Who


def asks_nodes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options by which nodes are named and reached, as its argument ``who``.

    They come before its own in the help; a command's arguments before its options are arguments.
    """
    theirs = _evaluated(_who)
    ours = [parameter for parameter in _evaluated(command) if parameter.name != "who"]
    arguments = [parameter for parameter in ours if parameter.default is parameter.empty]
    options = [parameter for parameter in ours if parameter.default is not parameter.empty]

    @functools.wraps(command)
    def with_who(**given: Any) -> None:
        who = _who(**{parameter.name: given.pop(parameter.name) for parameter in theirs})
        command(who=who, **given)

    signature = inspect.Signature([*arguments, *theirs, *options])
    with_who.__signature__ = signature  # type: ignore[attr-defined]  # what inspect goes by
    with_who.__annotations__ = {
        name: parameter.annotation for name, parameter in signature.parameters.items()
    }
    return with_who


def _evaluated(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Give parameters with their types; ``Who`` takes time to load, and no option is of it."""
    scope = {**inspect.unwrap(function).__globals__, "Who": None}
    return [*inspect.signature(function, globals=scope, eval_str=True).parameters.values()]


def _who(  # noqa: PLR0913  one argument for each option
    *,
    nodes: words.Nodes = None,
    config: words.ConfigFile = None,
    fleet: words.FleetName = None,
    secret_file: words.SecretFile = None,
    keyid: words.KeyId = None,
    host_header: words.HostHeader = None,
    header: words.Header = None,
    ca_file: words.CaFile = None,
    client_cert: words.ClientCert = None,
) -> Who:
    from cachecheck.cli.wiring import Who, transport_of  # noqa: PLC0415  --help stays quick

    return Who(
        words=tuple(nodes or ()),
        config_file=_text(config),
        fleet=fleet,
        secret_file=_text(secret_file),
        keyid=keyid,
        transport=transport_of(host_header, header, ca_file, client_cert),
    )


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
