"""``cachecheck init``: write a commented configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cachecheck.errors import UsageError


def template() -> str:
    """Give the commented configuration, as ``configs/cachecheck.toml`` has it too."""
    from importlib.resources import files  # noqa: PLC0415  --help stays quick

    return files("cachecheck.cli").joinpath("cachecheck.toml").read_text(encoding="utf-8")


def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="Where to; never overwrites.")
    ] = Path("cachecheck.toml"),
) -> None:
    """Write a commented configuration to start from."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError as exc:
        raise UsageError(f"{file} is there already: move it away, or name another file") from exc
    except OSError as exc:
        raise UsageError(f"cannot write {file}: {exc.strerror}") from exc
    sys.stdout.write(
        f"Wrote {file}. Fill in the nodes, put the secret into the file that it names, then:\n"
        f"  cachecheck check --config {file}\n"
    )
