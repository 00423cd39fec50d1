"""Real Redis servers: standalone, replica and Sentinel."""

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import redis

from harness.process import LOOPBACK, HarnessError, Process, exchange, free_port


class RedisServer(Process):
    """A Redis without persistence; `url` names its database 0."""

    stop_signal = signal.SIGKILL  # it has nothing to put away, and is gone at once

    def __init__(self, command: Sequence[str], *, port: int, log: Path) -> None:
        self.port = port
        self.address = f"{LOOPBACK}:{port}"
        self.url = f"redis://{self.address}/0"
        super().__init__(command, log=log, cwd=log.parent)

    def client(self, **options: object) -> redis.Redis:
        """Return a client of this server, to be closed by the caller or used in `with`."""
        return redis.Redis.from_url(self.url, **options)

    def _answers(self) -> bool:
        return exchange(self.port, b"PING\r\n").startswith((b"+PONG", b"-NOAUTH", b"-NOPERM"))

    def _follows(self) -> bool:
        with self.client() as client:
            return client.info("replication")["master_link_status"] == "up"


class RedisSentinel(RedisServer):
    """A Sentinel that watches one primary, by itself a quorum."""

    def _sees(self, master_name: str) -> bool:
        with self.client() as client:
            masters = client.info("sentinel")
        return any(
            master["name"] == master_name and master["status"] == "ok"
            for field, master in masters.items()
            if field.startswith("master") and isinstance(master, dict)
        )


def start_redis(
    tmp: Path,
    *,
    replicaof: RedisServer | None = None,
    extra_args: Sequence[str] = (),
    users: Sequence[str] | None = None,
) -> RedisServer:
    """Start a Redis whose files are in `tmp`.

    `users` are lines of an ACL file, such as `user site on >password ~* +@all`; the default user
    keeps its rights unless one of them says otherwise. A replica is returned once it follows.
    """
    port = free_port()
    folder = _folder(tmp, "redis", port)
    options = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
    if replicaof is not None:
        options += ["--replicaof", LOOPBACK, str(replicaof.port)]
    if users is not None:
        (folder / "users.acl").write_text("".join(f"{line}\n" for line in users))
        options += ["--aclfile", str(folder / "users.acl")]
    listen = ["--bind", LOOPBACK, "--port", str(port), "--dir", str(folder)]
    command = [_executable(), *listen, *options, *extra_args]
    server = RedisServer(command, port=port, log=folder / "log")
    server.wait_ready(server._answers, what=f"Redis on {port}")  # noqa: SLF001 - same module
    if replicaof is not None:
        server.wait_ready(server._follows, what=f"replica on {port}")  # noqa: SLF001 - same module
    return server


def start_sentinel(
    tmp: Path, master_name: str, primary: RedisServer, *, down_after_milliseconds: int = 1000
) -> RedisSentinel:
    """Start a Sentinel that calls the primary by this name, and return once it sees it."""
    port = free_port()
    folder = _folder(tmp, "sentinel", port)
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"port {port}\n"
        f"bind {LOOPBACK}\n"
        f"dir {folder}\n"
        f"sentinel monitor {master_name} {LOOPBACK} {primary.port} 1\n"
        f"sentinel down-after-milliseconds {master_name} {down_after_milliseconds}\n"
        f"sentinel failover-timeout {master_name} 5000\n"
    )
    command = [_executable(), str(configuration), "--sentinel"]
    sentinel = RedisSentinel(command, port=port, log=folder / "log")
    sentinel.wait_ready(sentinel._answers, what=f"Sentinel on {port}")  # noqa: SLF001 - same module
    sentinel.wait_ready(
        lambda: sentinel._sees(master_name),  # noqa: SLF001 - same module
        what=f"Sentinel's {master_name}",
    )
    return sentinel


def _folder(tmp: Path, kind: str, port: int) -> Path:
    folder = tmp / f"{kind}-{port}"
    folder.mkdir()
    return folder


def _executable() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise HarnessError("redis-server is not installed: run tests/install-servers")
    return found
