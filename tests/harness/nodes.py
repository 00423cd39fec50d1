"""Real Django nodes: the test site under gunicorn or uvicorn, with several workers."""

import json
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from harness.process import (
    LOOPBACK,
    Finished,
    HarnessError,
    Process,
    children_of,
    finish,
    free_port,
    parent_of,
    wait_until,
)

SECRET = "a-test-secret-of-forty-characters-000001"

Server = Literal["gunicorn", "gthread", "preload", "gevent", "uvicorn", "granian", "uwsgi"]

_PRELOADING = frozenset({"preload", "uwsgi"})

_TESTS = Path(__file__).parents[1]
_FAKETIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one worker said of one operation on its cache; values are JSON's."""

    pid: int
    result: Any


class Node(Process):
    """The test site, serving on loopback ports, mostly one, with a number of workers."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        ports: Sequence[int],
        workers: int,
        preloads: bool,
        folder: Path,
        env: Mapping[str, str],
        launcher: Sequence[str],
        python: str,
    ) -> None:
        self.name = name
        self.port = ports[0]
        self.addresses = tuple(f"{LOOPBACK}:{port}" for port in ports)
        self.address = self.addresses[0]
        self.url = f"http://{self.address}/cachecheck/"
        self.secret = env["CACHECHECK_SECRET"]
        self.workers = workers
        self.headers: dict[str, str] = {}
        self.folder = folder
        self._preloads = preloads
        self.env = env
        self._manage = [*launcher, python, "-m", "django"]
        super().__init__([*launcher, *command], log=folder / "log", env=env, cwd=folder)

    def wait_until_booted(self) -> None:
        """Wait until all workers have loaded the site and one answers; else raise with the log."""
        self.wait_ready(
            lambda: len(self.worker_pids()) >= self.workers and self._answers(),
            60.0,
            what=f"node {self.name} with {self.workers} workers",
        )

    def worker_pids(self) -> tuple[int, ...]:
        """Return the living processes that have loaded the site, or were forked with it."""
        if self._preloads:
            return tuple(sorted(children_of(self.pid)))
        booted = (int(file.name) for file in (self.folder / "booted").iterdir())
        return tuple(sorted(pid for pid in booted if pid == self.pid or parent_of(pid) == self.pid))

    def app(self, op: str, **params: Any) -> Answer:
        """Let the site carry out one operation on its cache, in whichever worker answers.

        Parameters are those of `harness.site.views`: `key`, `cache`, `value` (as JSON),
        `literal` (a Python literal as text), `timeout` (None: for ever), `version`.
        """
        answer = self._read(*self._post({"op": op, **_form(params)}))
        assert answer is not None, "only an answer to another worker's request is none"
        return answer

    def app_on_worker(self, pid: int, op: str, **params: Any) -> Answer:
        """Let the worker of this pid, and no other, carry out one operation once.

        Nothing says which worker a connection reaches, so bursts of them are opened until it
        is found; whatever number of them reach it, it acts on the first.
        """
        form = {"op": op, "worker": str(pid), "nonce": uuid.uuid4().hex, **_form(params)}
        found: list[Answer] = []
        wait_until(
            lambda: found or found.extend(self._burst(form)) or found,
            20.0,
            what=f"an answer of worker {pid} of {self.name}",
        )
        return found[0]

    def manage(self, *arguments: str, timeout_seconds: float = 60.0) -> Finished:
        """Run a management command of the site, in the environment of its workers."""
        command = self.manage_command(*arguments)
        return finish(command, env=self.env, timeout_seconds=timeout_seconds)

    def manage_command(self, *arguments: str) -> list[str]:
        """Return the command line of a management command."""
        return [*self._manage, *arguments]

    def _answers(self) -> bool:
        try:
            return self._request("GET", "/app/pid", None)[0] > 0
        except OSError:
            return False

    def _post(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        return self._request("POST", "/app/cache", urlencode(form))

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=20)
        form = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
        try:
            connection.request(method, path, body, {**form, **self.headers})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _burst(self, form: Mapping[str, str]) -> list[Answer]:
        """Return the first answer of the worker meant, if any of the burst reaches it."""
        size = 2 * self.workers + 2
        with ThreadPoolExecutor(size) as pool:
            for asked in as_completed([pool.submit(self._post, form) for _ in range(size)]):
                answer = self._read(*asked.result())
                if answer is not None:
                    pool.shutdown(wait=False, cancel_futures=True)
                    return [answer]
        return []

    def _read(self, status: int, body: bytes) -> Answer | None:
        """Return the answer; None where it came from a worker that was not meant."""
        if status != 200:
            raise HarnessError(f"{self.name}: {status} {body[:200]!r}\n{self.log[-4000:]}")
        answer = json.loads(body)
        return Answer(**answer) if "result" in answer else None


def start_node(
    tmp: Path,
    *,
    name: str,
    caches: Mapping[str, Any],
    cachecheck: Mapping[str, Any] | None = None,
    workers: int = 3,
    server: Server = "gunicorn",
    options: Sequence[str] = (),
    addresses: int = 1,
    python: str = sys.executable,
    env: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    faketime: str | None = None,
    hostname: str | None = None,
    hash_seed: int | None = None,
    wait: bool = True,
) -> Node:
    """Start the test site as a node whose files are in `tmp`.

    `caches` and `cachecheck` are CACHES and CACHECHECK; `settings` are further Django settings.
    `options` are further ones of the server.
    `headers` go with every request that the node's own methods send. With gunicorn, one node can
    listen on several `addresses`, and so stand for a fleet of as many. `faketime` moves its wall
    clock ("+10m"), `hostname` makes it another host, for root only. With `wait` false, call
    `wait_until_booted` later: several nodes boot at once then.
    """
    ports = [free_port() for _ in range(addresses)]
    folder = tmp / f"{name}-{ports[0]}"
    (folder / "booted").mkdir(parents=True)
    site = {**(settings or {}), "CACHES": caches, "CACHECHECK": cachecheck or {}}
    node = Node(
        _command(server, python=python, ports=ports, workers=workers, options=options),
        name=name,
        ports=ports,
        workers=workers,
        preloads=server in _PRELOADING,
        folder=folder,
        env=_environment(site, folder, hash_seed) | (env or {}),
        launcher=[*_on_host(hostname), *_at_time(faketime)],
        python=python,
    )
    node.headers.update(headers or {})
    if wait:
        node.wait_until_booted()
    return node


def _command(
    server: Server, *, python: str, ports: Sequence[int], workers: int, options: Sequence[str]
) -> list[str]:
    if server == "uvicorn":
        (port,) = ports
        bind = ["--host", LOOPBACK, "--port", str(port), "--lifespan", "off"]
        quiet = ["--log-level", "warning", "--no-access-log"]
        site = ["harness.site.asgi:application", "--workers", str(workers)]
        return [python, "-m", "uvicorn", *bind, *quiet, *site, *options]
    if server == "granian":
        (port,) = ports
        bind = ["--host", LOOPBACK, "--port", str(port), "--workers", str(workers)]
        site = ["--interface", "wsgi", "--log-level", "warning", "harness.site.wsgi:application"]
        return [python, "-m", "granian", *bind, *site, *options]
    if server == "uwsgi":
        (port,) = ports
        bind = ["--http-socket", f"{LOOPBACK}:{port}", "--processes", str(workers), "--master"]
        quiet = ["--disable-logging", "--die-on-term", "--need-app", "--single-interpreter"]
        site = ["--module", "harness.site.wsgi:application"]
        return [str(Path(python).with_name("uwsgi")), *bind, *quiet, *site, *options]
    return _gunicorn(server, python, ports, workers, options)


def _gunicorn(
    server: Server, python: str, ports: Sequence[int], workers: int, options: Sequence[str]
) -> list[str]:
    kinds = {"gthread": ["gthread", "--threads", "4"], "gevent": ["gevent"]}
    kind = ["--worker-class", *kinds.get(server, ["sync"])]
    binds = [word for port in ports for word in ("--bind", f"{LOOPBACK}:{port}")]
    quiet = ["--log-level", "warning", "--no-control-socket", "--graceful-timeout", "3"]
    preload = ["--preload"] if server == "preload" else []
    site = [*preload, *options, "harness.site.wsgi:application"]
    return [python, "-m", "gunicorn", *binds, "--workers", str(workers), *kind, *quiet, *site]


def _environment(site: Mapping[str, Any], folder: Path, hash_seed: int | None) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONHASHSEED" and not name.startswith(("CACHECHECK_", "DJANGO_"))
    }
    ours = {
        "CACHECHECK_SECRET": SECRET,
        "CACHECHECK_TEST_SITE": json.dumps(site),
        "CACHECHECK_TEST_BOOTED": str(folder / "booted"),
        "DJANGO_SETTINGS_MODULE": "harness.site.settings",
        "PYTHONPATH": str(_TESTS),
        "TMPDIR": str(folder),  # where processes meet that hand probes on: as on a host of its own
    }
    if hash_seed is not None:
        ours["PYTHONHASHSEED"] = str(hash_seed)
    return inherited | ours


def _at_time(faketime: str | None) -> list[str]:
    """Return the command prefix that moves a program's wall clock, and no other clock.

    gunicorn ends workers by the age of a file whose time it sets from the monotonic clock, so
    file times stay as they are, too. The variables are set last of all: libfaketime's shared
    memory is removed by the program that made it, unless that became another one by `exec`.
    """
    if faketime is None:
        return []
    library = next(Path("/").glob(_FAKETIME.removeprefix("/")), None)
    if library is None:
        raise HarnessError("libfaketime is not installed: run tests/install-servers")
    real = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]
    path = f"PYTHONPATH={_TESTS / 'harness' / 'faked_clock'}:{_TESTS}"
    return ["env", f"LD_PRELOAD={library}", f"FAKETIME={faketime}", *real, path]


def _on_host(hostname: str | None) -> list[str]:
    """Return the command prefix that runs a program on a host of another name."""
    if hostname is None:
        return []
    return ["unshare", "--uts", "--", "sh", "-c", 'hostname "$0" && exec "$@"', hostname]


def _form(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: _parameter(name, value) for name, value in params.items()}


def _parameter(name: str, value: Any) -> str:
    if name == "value":
        return json.dumps(value)
    return "none" if value is None else str(value)
