"""Where a report goes: standard output, files, and the exit code."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cachecheck.model import Report

EXIT_CODES = {"consistent": 0, "divergent": 1, "undecided": 3}
DEFAULT_WIDTH = 80

_SUFFIXES = (".json",)


def demand_writable(files: Sequence[Path] | None) -> tuple[Path, ...]:
    """Refuse, before anything is asked of any node, what the report could not be saved to."""
    for file in files or ():
        if file.suffix not in _SUFFIXES:
            raise UsageError(f"--save {file}: the suffix must be {' or '.join(_SUFFIXES)}")
        if not file.absolute().parent.is_dir():
            raise UsageError(f"--save {file}: there is no such folder")
        if not os.access(file.absolute().parent, os.W_OK):
            raise UsageError(f"--save {file}: this user may not write into that folder")
        if file.is_dir():
            raise UsageError(f"--save {file}: is a folder, name a file")
    return tuple(files or ())


def save(report: Report, files: Sequence[Path]) -> None:
    """Write the report to each file, whole or not at all; a failure does not hide the verdict."""
    from cachecheck.reporting import json  # noqa: PLC0415  --help stays quick

    for file in files:
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            beside.unlink(missing_ok=True)
            with beside.open("x", encoding="utf-8") as made:  # never through somebody's link
                made.write(json.render(report))
            beside.replace(file)
        except OSError as exc:
            beside.unlink(missing_ok=True)
            sys.stderr.write(f"cachecheck: the report is not saved to {file}: {exc.strerror}\n")


def configure_log(*, is_verbose: bool) -> None:
    """Log to standard error, and each probe where everything is wanted."""
    import logging  # noqa: PLC0415  --help stays quick

    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    if is_verbose:
        logging.getLogger("cachecheck").setLevel(logging.DEBUG)


def give(
    report: Report, format_: str, files: Sequence[Path], *, is_verbose: bool, is_quiet: bool
) -> None:
    """Write the report to standard output, or nothing where all is well and quiet; and save it."""
    if not (is_quiet and report.verdict == "consistent"):
        show(report, format_, is_verbose=is_verbose)
    save(report, files)


def show(report: Report, format_: str, *, is_verbose: bool) -> None:
    """Write the report to standard output."""
    from cachecheck.reporting import json, table  # noqa: PLC0415  --help stays quick

    if format_ == "json":
        text = json.render(report)
    else:
        text = table.render(report, width=terminal_width(), is_verbose=is_verbose)
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def terminal_width() -> int:
    """Give the width of the terminal; 80 where standard output is none."""
    if not sys.stdout.isatty():
        return DEFAULT_WIDTH
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns
