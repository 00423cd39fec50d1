"""The file in which ``--all`` keeps what it has done: ``--resume FILE`` goes on from there."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.audit.ledger import Ledger, State, decode, encode
from cachecheck.digest import new_seed
from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cachecheck.coordinator.options import Options

_OF_THE_KEYS = ("caches", "match", "ttl_tolerance")


MAX_AGE_SECONDS = 6 * 3600.0


def open_ledger(path: Path | None, addresses: Sequence[str], options: Options) -> Ledger:
    """Give the ledger of a run: a new one, or that of the interrupted run whose file this is.

    What was done more than ``MAX_AGE_SECONDS`` ago says little of the stores as they are: such a
    run begins anew. Raises ``UsageError`` for a file that belongs to another check, or to none,
    and leaves it as it is.
    """
    question = _question(addresses, options)
    if path is None:
        return Ledger(_new(question))
    state = _load(path, question)
    if state is None or time.time() - state.started_at > MAX_AGE_SECONDS:
        state = _new(question)
    ledger = Ledger(state, lambda state: _save(path, state))
    _save(path, state)  # a place that cannot be written to is found out now
    return ledger


def close_ledger(path: Path | None, ledger: Ledger, *, is_finished: bool) -> str | None:
    """Remove the file of a run that is finished, or did nothing; else say how to go on."""
    if path is None:
        return None
    if not is_finished and ledger.state.summed:
        ledger.flush()
        return f"not every key was compared yet: the same command with --resume {path} goes on"
    with suppress(OSError):
        path.unlink()
    return None


def _question(addresses: Sequence[str], options: Options) -> str:
    asked = [list(addresses), [getattr(options, name) for name in _OF_THE_KEYS]]
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


def _new(question: str) -> State:
    return State(
        run=new_seed().hex(), seed=new_seed().hex(), started_at=time.time(), question=question
    )


def _load(path: Path, question: str) -> State | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UsageError(f"--resume {path} cannot be read: {exc.strerror}") from exc
    try:
        state = decode(data)
    except UsageError as exc:
        raise UsageError(f"--resume {path}: {exc}; name another file") from exc
    if state.question != question:
        raise UsageError(
            f"--resume {path} belongs to a check of other nodes or keys: repeat that one, or name "
            "another file"
        )
    return state


def _save(path: Path, state: State) -> None:
    """Write a state for the user alone, as a whole or not at all."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.unlink(missing_ok=True)  # of a run that was killed while it wrote
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(encode(state))
        beside.replace(path)
    except OSError as exc:
        with suppress(OSError):
            beside.unlink()
        raise UsageError(f"--resume {path} cannot be written: {exc.strerror}") from exc
