"""``python -m cachecheck`` is the command ``cachecheck``."""

from __future__ import annotations

from cachecheck.cli.main import main

if __name__ == "__main__":
    main()
