"""The other Pythons that cachecheck is installed for here, to run nodes under."""

from pathlib import Path

_ROOT = Path(__file__).parents[2]


def other_pythons() -> dict[str, str]:
    """Return the interpreters that `tests/matrix install` prepared, by version as `3.13`."""
    return {
        stamp.parent.name.removeprefix(".venv-"): str(stamp.parent / "bin" / "python")
        for stamp in sorted(_ROOT.glob(".venv-*/.dev"))
    }
