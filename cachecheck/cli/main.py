"""The command ``cachecheck``: its subcommands, and what becomes of every error."""

from __future__ import annotations

import atexit
import gc
import sys
import traceback

from cachecheck.errors import CachecheckError

EXIT_USAGE = 2
EXIT_UNDECIDED = 3
EXIT_INTERRUPTED = 130
OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main() -> None:
    """Run the command line; ends the process with one of the documented exit codes."""
    _collect_seldom()
    try:
        from cachecheck.cli.app import app  # noqa: PLC0415  typer may be missing on a node
    except ModuleNotFoundError as exc:
        _say(f"the command line needs {exc.name}: pip install 'django-cachecheck[cli]'")
        sys.exit(EXIT_USAGE)
    try:
        app()
    except CachecheckError as exc:
        _say(str(exc))
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception:  # noqa: BLE001  a crash must not look like "divergent", which is exit 1
        traceback.print_exc()
        _say("this is a bug in cachecheck; nothing was decided")
        sys.exit(EXIT_UNDECIDED)


def _collect_seldom() -> None:
    """Look for garbage seldom, and not at the end: a third of a short run.

    Modules, and batches of keys, are many objects and no garbage.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)


def _say(message: str) -> None:
    sys.stderr.write(f"cachecheck: {message}\n")
