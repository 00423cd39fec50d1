"""Real Redis servers: standalone, replica, Sentinel and Cluster."""

import itertools
import shutil
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import redis

from harness.balancer import Balancer
from harness.process import LOOPBACK, HarnessError, Process, exchange, free_port, wait_until

_SLOTS = 16_384
_WAIT_MILLISECONDS = 10_000


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


class RedisCluster:
    """Primaries that divide the slots among them in order, and the replicas of each."""

    def __init__(
        self,
        primaries: Sequence[RedisServer],
        replicas: Sequence[Sequence[RedisServer]],
        started: ExitStack,
    ) -> None:
        self.primaries = tuple(primaries)
        self.replicas = tuple(map(tuple, replicas))
        self.url = f"redis+cluster://{','.join(server.address for server in self.servers)}"
        self._started = started

    @property
    def servers(self) -> tuple[RedisServer, ...]:
        return (*self.primaries, *(server for group in self.replicas for server in group))

    def client(self, **options: object) -> redis.RedisCluster:
        """Return a client of the cluster, to be closed by the caller or used in `with`."""
        return redis.RedisCluster(host=LOOPBACK, port=self.primaries[0].port, **options)

    def wait_for_replicas(self) -> None:
        """Return once every replica has all that its primary was told so far."""
        for primary, group in zip(self.primaries, self.replicas, strict=True):
            with primary.client() as client:
                _write(client)  # a connection waits for what it wrote by itself
                if client.wait(len(group), _WAIT_MILLISECONDS) < len(group):
                    raise HarnessError(f"replicas of {primary.address} do not follow")

    def stop(self) -> None:
        self._started.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def start_redis(
    tmp: Path,
    *,
    replicaof: RedisServer | Balancer | None = None,
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


def start_cluster(
    tmp: Path,
    primaries: int = 3,
    replicas_per_primary: int = 1,
    *,
    extra_args: Sequence[str] = (),
    node_timeout_milliseconds: int = 1500,
) -> RedisCluster:
    """Start a Redis Cluster, and return once all slots are served and all replicas follow.

    Tests may write into a replica, and ask for what only `DEBUG` does.
    """
    options = [
        *("--cluster-enabled", "yes"),
        *("--cluster-node-timeout", str(node_timeout_milliseconds)),
        *("--enable-debug-command", "yes", "--replica-read-only", "no"),
        # a replica is named to clients only once it has received something
        *("--repl-ping-replica-period", "1"),
        *extra_args,
    ]
    with ExitStack() as started:
        servers = [
            started.enter_context(
                start_redis(tmp, extra_args=[*options, "--cluster-port", str(free_port())])
            )
            for _ in range(primaries * (1 + replicas_per_primary))
        ]
        heads, others = servers[:primaries], servers[primaries:]
        groups = [others[number::primaries] for number in range(primaries)]
        _join(servers)
        _divide(heads)
        _follow(heads, groups)
        cluster = RedisCluster(heads, groups, started.pop_all())
    try:
        wait_until(lambda: _is_whole(cluster), 30, what="the Redis Cluster")
    except HarnessError:
        cluster.stop()
        raise
    return cluster


def _write(client: redis.Redis) -> None:
    """Store a key in a slot of this server, and take it out again."""
    for number in itertools.count():
        key = f"harness:{number}"
        try:
            client.set(key, b"")
        except redis.exceptions.MovedError:
            continue
        client.delete(key)
        return


def _join(servers: Sequence[RedisServer]) -> None:
    """Let every server know all others; each gets an epoch of its own before it meets them."""
    for epoch, server in enumerate(servers, 1):
        _tell(server, "CLUSTER", "SET-CONFIG-EPOCH", epoch)
    for server in servers:
        bus = _tell(server, "CONFIG", "GET", "cluster-port")
        port = next(value for name, value in _pairs(bus) if name == b"cluster-port")
        _tell(servers[0], "CLUSTER", "MEET", LOOPBACK, server.port, int(port))
    wait_until(
        lambda: all(_knows(server, len(servers)) for server in servers),
        20,
        what="the meeting of a Redis Cluster",
    )


def _divide(primaries: Sequence[RedisServer]) -> None:
    bounds = [_SLOTS * number // len(primaries) for number in range(len(primaries) + 1)]
    for server, start, end in zip(primaries, bounds, bounds[1:], strict=False):
        _tell(server, "CLUSTER", "ADDSLOTSRANGE", start, end - 1)


def _follow(primaries: Sequence[RedisServer], groups: Sequence[Sequence[RedisServer]]) -> None:
    for primary, group in zip(primaries, groups, strict=True):
        identifier = _tell(primary, "CLUSTER", "MYID")
        for replica in group:
            _tell(replica, "CLUSTER", "REPLICATE", identifier)


def _is_whole(cluster: RedisCluster) -> bool:
    states = (_tell(server, "CLUSTER", "INFO") for server in cluster.servers)
    followers = [server for group in cluster.replicas for server in group]
    known = len(cluster.primaries), len(followers)
    return (
        all(b"cluster_state:ok" in state for state in states)
        and all(server._follows() for server in followers)  # noqa: SLF001 - same module
        and all(_sees_slots(server, *known) for server in cluster.servers)
    )


def _sees_slots(server: RedisServer, primaries: int, replicas: int) -> bool:
    shards = _tell(server, "CLUSTER", "SLOTS")
    return len(shards) == primaries and sum(len(shard) - 3 for shard in shards) == replicas


def _knows(server: RedisServer, count: int) -> bool:
    return f"cluster_known_nodes:{count}\r".encode() in _tell(server, "CLUSTER", "INFO")


def _tell(server: RedisServer, *command: object) -> Any:
    with server.client() as client:
        # by words: redis-py gives what it knows as one command an answer of its own making
        return client.execute_command(*command)


def _pairs(answer: Any) -> list[tuple[bytes, bytes]]:
    if isinstance(answer, dict):
        return list(answer.items())
    return list(zip(answer[::2], answer[1::2], strict=True))


def _folder(tmp: Path, kind: str, port: int) -> Path:
    folder = tmp / f"{kind}-{port}"
    folder.mkdir()
    return folder


def _executable() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise HarnessError("redis-server is not installed: run tests/install-servers")
    return found
