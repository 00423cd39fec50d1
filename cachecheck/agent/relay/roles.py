"""What this process is for the site: a web worker, of Celery, or a command."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cachecheck.agent.worker import command_line, without_handles

if TYPE_CHECKING:
    from cachecheck.model import Role, Worker

_COMMANDS = frozenset({"manage", "django", "django-admin"})
_SERVERS = ("gunicorn.arbiter", "uvicorn.server", "granian", "uwsgi", "hypercorn", "mod_wsgi")
_GUNICORN_TITLE = b"gunicorn: "  # what it calls its processes where setproctitle is installed


def role(*, has_served: bool) -> Role:
    """Say what this process is; one that has served a request is a web worker."""
    program = _program()
    if has_served:
        return "web"
    if program == "celery" or "celery.apps.worker" in sys.modules:
        return "celery"
    return "web" if program not in _COMMANDS and _is_server() else "command"


def kin_of(worker: Worker) -> str:
    """Name the processes that one parent started alike, which are workers of one server.

    By the command line as it was at first: titles change.
    """
    words = "\0".join(sys.orig_argv).encode(errors="surrogateescape")
    told = worker.parent.encode() + b"\0" + without_handles(words)
    return hashlib.blake2b(told, digest_size=4).hexdigest()


def is_forked_already() -> bool:
    """Whether this process is one that its server started to serve, and not the one that forks."""
    if (uwsgi := embedding()) is not None:
        return bool(uwsgi.worker_id())
    if multiprocessing.parent_process() is not None:
        return True
    own, parents = command_line(os.getpid()), command_line(os.getppid())
    if own is None or parents is None:
        return False
    return own == parents or (own[:10], parents[:10]) == (_GUNICORN_TITLE, _GUNICORN_TITLE)


def embedding() -> Any:
    """Give uWSGI's module, which is there inside of uWSGI alone; else None."""
    return sys.modules.get("uwsgi")


def _program() -> str:
    """Name the program, also where it was started by ``python -m``."""
    path = PurePath(sys.argv[0] if sys.argv else "")
    return (path.parent.name if path.stem == "__main__" else path.stem) or ""


def _is_server() -> bool:
    return any(name in sys.modules for name in _SERVERS)
