"""When a process begins to listen: once it is at work, never before the fork that makes it one.

Threads do not outlive a fork, so the first process of a server or of Celery, which starts others,
has none. What shows that a process is at work: it gets a request or a task, it is one that was
forked so, or, where nothing is forked, it makes a backend of a cache. Whatever goes wrong the site
starts and serves; the relay is off then, for a reason that ``manage.py check`` and ``cachecheck
nodes`` tell.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from django.core.cache import CacheHandler
from django.core.signals import request_started

from cachecheck.agent import conf as settings
from cachecheck.agent.relay.folder import Unfit, open_folder
from cachecheck.agent.relay.roles import embedding, is_forked_already, role

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.conf import Conf
    from cachecheck.agent.relay.listening import Listener

log = logging.getLogger("cachecheck.agent")

AFTER_FORK_SECONDS = 0.05
"""A fork that becomes another program does so at once: what is left after that stays ours."""

_MARK = "_cachecheck_relays"
SWITCHED_OFF = "switched off by RELAY"


class _State:
    """What this process has done about the relay; ``begun`` is its pid once it has tried.

    ``first`` is the pid of the process whose forks are to begin, which does not by itself.
    """

    def __init__(self) -> None:
        self.begun: int | None = None
        self.first: int | None = None
        self.listener: Listener | None = None
        self.off: str | None = None
        self.has_served = False
        self.lock = threading.Lock()


_state = _State()


def install() -> None:
    """Have this process, and those that it will fork, listen once they are at work."""
    original = CacheHandler.create_connection
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def create_connection(self: CacheHandler, alias: str) -> BaseCache:
        cache = original(self, alias)
        if os.getpid() not in {_state.begun, _state.first}:
            _begin()
        return cache

    setattr(create_connection, _MARK, True)
    CacheHandler.create_connection = create_connection  # type: ignore[method-assign]
    request_started.connect(_on_request, dispatch_uid=_MARK)
    _watch_tasks()
    _watch_forks()
    if role(has_served=False) == "command":
        return
    _state.first = os.getpid()
    if is_forked_already():
        _begin()


def listener_for(conf: Conf) -> Listener | None:
    """Give this process's own listener, trying anew where it was off; None: it is."""
    if not conf.relays:
        return None
    if _state.begun != os.getpid() or _state.listener is None:
        _begin(is_again=True)
    return _state.listener


def why_off(conf: Conf) -> str | None:
    """Say why the relay does not work in this process, or would not; None: nothing is known."""
    if not conf.relays:
        return SWITCHED_OFF
    if _state.begun == os.getpid() and _state.off is not None:
        return _state.off
    try:
        _demand_threads()
        with closing(open_folder(conf)) as folder:
            folder.remove_if_empty()
    except Unfit as exc:
        return exc.reason
    return None


def _begin(*, is_again: bool = False) -> None:
    """Listen, or put down why not; a process tries by itself once.

    Whoever comes while another thread begins does not wait: it may be a request of the site's.
    """
    if not _state.lock.acquire(blocking=False):
        return
    try:
        if _state.begun == os.getpid() and not (is_again and _state.listener is None):
            return
        _forget_parent()
        _state.begun = os.getpid()
        try:
            _state.listener, _state.off = _listener(), None
        except Unfit as exc:
            _state.off = exc.reason
        except Exception as exc:  # noqa: BLE001  the boundary to a site that must go on
            _state.off = f"{type(exc).__name__} at the start"
    finally:
        _state.lock.release()
    if _state.off is not None and _state.listener is None:
        log.info("the relay is off: %s", _state.off)


def _listener() -> Listener | None:
    """Listen, where the settings want it; raises ``Unfit`` where that cannot be."""
    conf = settings.load()
    if not (conf.is_open and conf.relays):
        return None
    _demand_threads()
    from cachecheck.agent.relay.listening import Listener  # noqa: PLC0415  on first need

    listener = Listener(conf, role(has_served=_state.has_served))
    atexit.register(_end, os.getpid())
    return listener


def _demand_threads() -> None:
    """Raise ``Unfit`` where a thread would start and never run."""
    uwsgi = embedding()
    if uwsgi is not None and not {"enable-threads", "threads"} & _texts(uwsgi.opt):
        raise Unfit("uWSGI runs no threads of its own: start it with --enable-threads")


def _texts(options: Any) -> set[str]:
    return {name.decode() if isinstance(name, bytes) else str(name) for name in options}


def _end(pid: int) -> None:
    if pid == os.getpid() == _state.begun and _state.listener is not None:
        _state.listener.close()


def _on_request(**_kwargs: Any) -> None:
    if _state.begun == os.getpid() and _state.has_served:
        return
    if _state.begun != os.getpid():
        _begin()
    _state.has_served = True
    if _state.listener is not None and _state.listener.name.role == "command":
        _state.listener.be("web")


def _watch_tasks() -> None:
    """Have a process that gets a task of Celery begin, in whatever pool it is."""
    if "celery" in sys.modules:
        from celery.signals import task_prerun  # noqa: PLC0415  where it is there already

        task_prerun.connect(_on_task, weak=False, dispatch_uid=_MARK)


def _on_task(**_kwargs: Any) -> None:
    if _state.begun != os.getpid():
        _begin()


# --- forks ---------------------------------------------------------------------------------


def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork
        )
    if embedding() is not None:
        _watch_forks_of_uwsgi()


def _watch_forks_of_uwsgi() -> None:
    """Ask uWSGI to tell of its forks: it tells Python of them only where it is told to."""
    try:
        from uwsgidecorators import postfork  # noqa: PLC0415  there inside of uWSGI alone
    except Exception as exc:  # noqa: BLE001  it raises what it likes where there is no master
        log.info("forks of uWSGI are not seen: %s", type(exc).__name__)
        return
    postfork(_after_fork)


def _before_fork() -> None:
    if _state.listener is not None and _state.begun == os.getpid() and _has_real_threads():
        _state.listener.pause()


def _after_fork_in_parent() -> None:
    if _state.listener is None or _state.begun != os.getpid() or not _has_real_threads():
        return
    try:
        _state.listener.resume()
    except Exception as exc:  # noqa: BLE001  the boundary to whoever forks
        _state.listener, _state.off = None, f"{type(exc).__name__} after a fork"


def _after_fork() -> None:
    """Begin later, where what was forked was at work or is a server's: it has its caches, too."""
    is_awaited = _state.first is not None or _state.listener is not None
    _state.lock = threading.Lock()
    _forget_parent()
    if is_awaited and _is_settled():
        later = threading.Thread(target=_begin_later, name="cachecheck-relay-start", daemon=True)
        later.start()


def _begin_later() -> None:
    time.sleep(AFTER_FORK_SECONDS)
    _begin()


def _forget_parent() -> None:
    """Let go of what was the parent's."""
    inherited, begun = _state.listener, _state.begun
    if begun is None or begun == os.getpid():
        return
    _state.begun, _state.listener, _state.off, _state.has_served = None, None, None, False
    if inherited is not None:
        inherited.let_go()


def _is_settled() -> bool:
    """Whether threads are what they will be: gevent's workers replace them after the fork."""
    return "gevent" not in sys.modules or not _has_real_threads()


def _has_real_threads() -> bool:
    """Whether threads are the system's, and not those of gevent, which has them wait in turn."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is None or not monkey.is_module_patched("threading")
