"""How gunicorn serves a node: ``gunicorn --config python:cachecheck.demo.site.serving``."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

worker_class = "sync"
workers = int(os.environ["SHOP_WORKERS"])
loglevel = "warning"
graceful_timeout = 2
control_socket_disable = True  # it would lie in the user's home folder

_PR_SET_PDEATHSIG = 1  # prctl(2)


def on_starting(_server: Any) -> None:
    """End when the demo ends, even where it was killed and could not say so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def post_worker_init(worker: Any) -> None:
    """Fill the caches of a worker that has loaded the site, then say that it is ready."""
    from cachecheck.demo.site import stock  # noqa: PLC0415  Django is set up only now

    stock.fill(worker.age)
    Path(os.environ["SHOP_READY"], str(os.getpid())).touch()
