"""The command ``cachecheck``: its subcommands, and what becomes of every error."""

from __future__ import annotations

import sys
import traceback

from cachecheck.errors import CachecheckError

EXIT_USAGE = 2
EXIT_UNDECIDED = 3
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line; ends the process with one of the documented exit codes."""
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


def _say(message: str) -> None:
    sys.stderr.write(f"cachecheck: {message}\n")
