"""Where stores that are read directly are read whole: threads, processes, or a Dask cluster.

Each gives a ``concurrent.futures.Executor`` for as long as a ``with`` block lasts, and leaves
nothing behind: work that is still under way at its end is given up.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cachecheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PARENT_LOOK_SECONDS = 0.5
ENDING_SECONDS = 2.0
HASH_BITS = 64

_THEIR_WORK = "cachecheck.coordinator.direct"
_SCHEDULER = re.compile(r"(tcp|tls)://[^/@\s]+:[0-9]{1,5}")
_DASK = "--dask needs the package distributed: pip install 'django-cachecheck[dask]'"


@contextmanager
def threads(count: int) -> Iterator[Executor]:
    """Give ``count`` threads; the work in them shares one processor."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="cachecheck-store")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Forked(ProcessPoolExecutor):
    """Processes forked from this one: what ``hash`` gives of bytes there is what it gives here."""


def shares_hashes(heavy: Executor | None) -> bool:
    """Whether ``hash`` of bytes has a secret key that is known where work is done; None: here.

    Python's own is SipHash, keyed anew in each process unless somebody fixed the key.
    """
    is_keyed = os.environ.get("PYTHONHASHSEED", "random") == "random"
    info = sys.hash_info
    is_wide = info.hash_bits == HASH_BITS and info.cutoff == 0
    is_sip = info.algorithm.startswith("siphash")
    is_here = heavy is None or isinstance(heavy, ThreadPoolExecutor | Forked)
    return is_keyed and is_wide and is_sip and is_here


@contextmanager
def processes(count: int, *, preload: Sequence[str] = ()) -> Iterator[Executor]:
    """Give ``count`` processes, which are there when the block begins.

    Enter it before anything starts a thread or an event loop: on Linux the processes are forked,
    which is the quicker by an interpreter's start, and is safe only while there is one thread.
    ``preload`` names modules that they may need, loaded once for all. They die with this process,
    however it ends.
    """
    is_forked = sys.platform == "linux" and threading.active_count() == 1
    if is_forked:
        load((_THEIR_WORK, *preload))
        _freeze()
    others = set(multiprocessing.active_children())
    pool = (Forked if is_forked else ProcessPoolExecutor)(
        count,
        mp_context=multiprocessing.get_context("fork" if is_forked else "spawn"),
        initializer=_serve,
        initargs=(os.getpid(),),
    )
    results = pool._result_queue  # noqa: SLF001  see _close_for_writing
    try:
        pool.submit(os.getpid)  # forked with the first work there is, all at once
        yield pool
    finally:
        _end([child for child in multiprocessing.active_children() if child not in others])
        _close_for_writing(results)
        # the pool's thread must have ended: the interpreter, at its exit, and that thread close
        # and use one pipe without a lock
        pool.shutdown(wait=True, cancel_futures=True)


def load(names: Sequence[str]) -> None:
    """Import modules, but for those that are not installed."""
    for name in names:
        with suppress(ImportError):  # one that is not installed is not needed
            importlib.import_module(name)


def _freeze() -> None:
    """Leave what is loaded by now to no collection of garbage, here and in what is forked.

    That is a fifth of what a small audit takes: each collection, and those at the interpreter's
    end, would go through all modules, and have a process copy the pages that it was forked with.
    Once is enough: what is garbage by then is kept for good.
    """
    if not gc.get_freeze_count():
        gc.freeze()


def _serve(parent: int) -> None:
    """Leave an interruption to the coordinator, which ends us, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_SECONDS)
    os._exit(1)


def _end(children: Sequence[multiprocessing.process.BaseProcess]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.join(ENDING_SECONDS)
        if child.is_alive():
            child.kill()


def _close_for_writing(results: object) -> None:
    """Close our end of the pipe that results come through, which nobody writes to any more.

    A process that was ended in the middle of a result leaves a part of it. The pool's thread waits
    for the rest until no end is open, and whoever ends the pool waits for that thread.
    """
    writer = getattr(results, "_writer", None)
    if writer is not None:
        writer.close()


@contextmanager
def dask(address: str, *, timeout_seconds: float) -> Iterator[Executor]:
    """Give the workers of the Dask scheduler at an address.

    Raises ``UsageError`` where the package for it is missing, or nobody answers there.
    """
    if not _SCHEDULER.fullmatch(address):  # distributed would try it, and leave a traceback
        raise UsageError(f"--dask takes tcp://HOST:PORT or tls://HOST:PORT, not {address!r}")
    try:
        from distributed import Client  # noqa: PLC0415  an extra
    except ImportError as exc:
        raise UsageError(_DASK) from exc
    try:
        client = Client(  # type: ignore[no-untyped-call]  # distributed
            address, timeout=timeout_seconds, set_as_default=False
        )
    except (OSError, ValueError, TypeError) as exc:
        raise UsageError(
            f"--dask {address}: no Dask scheduler answered there within {timeout_seconds:g} s"
        ) from exc
    executor = client.get_executor(pure=False, retries=0)  # type: ignore[no-untyped-call]  # distributed
    try:
        yield executor
    finally:
        with suppress(Exception):  # it is over, however the cluster takes it
            executor.shutdown(wait=False)
        client.close(timeout=ENDING_SECONDS)  # type: ignore[no-untyped-call]  # distributed
