"""The deployment of the demo: a folder, three nodes that run, and one that is down."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cachecheck.demo.faults import DOWN_NODE, DRIFTED_NODE, RENAMED_NODE, STALE_NODE
from cachecheck.demo.node import LOOPBACK, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.demo.signals import Signals

RUNNING = ("web-1", "web-2", "web-3")
SECRET_FILE = "secret"  # noqa: S105  the name of a file
CONFIG_FILE = "cachecheck.toml"

_BOOT_SECONDS = 40.0
_SECRET_BYTES = 48
_EXPIRY_SECONDS = 3 * 3600
_DRIFT_SECONDS = 3600


class Deployment:
    """Where everything is; ``addresses`` are those of all nodes, the one that is down included."""

    def __init__(self, folder: Path, nodes: Sequence[Node], down_port: int) -> None:
        self.folder = folder
        self.nodes = tuple(nodes)
        ports = {node.name: node.port for node in nodes} | {DOWN_NODE: down_port}
        self.addresses = {name: f"{LOOPBACK}:{port}" for name, port in ports.items()}

    def wait_until_ready(self) -> Iterator[Node]:
        """Give each node once it is ready; raises ``NodeFailed``."""
        for node in self.nodes:
            node.wait_until_ready(_BOOT_SECONDS)
            yield node


@contextmanager
def deployed(signals: Signals) -> Iterator[Deployment]:
    """Start the deployment; in the end no process, no port and no file of it is left."""
    cleanup = ExitStack()
    try:
        yield _deploy(cleanup, signals)
    finally:
        with signals.held():
            cleanup.close()


def _deploy(cleanup: ExitStack, signals: Signals) -> Deployment:
    with signals.held():
        folder = Path(tempfile.mkdtemp(prefix="cachecheck-demo-"))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    _write_secret(folder / SECRET_FILE, secret)
    down = cleanup.enter_context(socket.socket())
    down.bind((LOOPBACK, 0))  # and never listens: connections are refused, and it stays ours
    nodes: list[Node] = []
    cleanup.callback(_end, nodes)
    site = {"CACHECHECK_SECRET": secret} | _site(folder)
    for name in RUNNING:
        with signals.held():
            nodes.append(Node(name, folder / name, site | _faults(name, site)))
    deployment = Deployment(folder, nodes, down.getsockname()[1])
    (folder / CONFIG_FILE).write_text(_configuration(deployment), encoding="utf-8")
    return deployment


def _write_secret(file: Path, secret: str) -> None:
    file.touch(0o600)
    file.write_text(secret, encoding="ascii")


def _site(folder: Path) -> dict[str, str]:
    expires_at = str(time.time() + _EXPIRY_SECONDS)
    return {
        "SHOP_PAGES": str(folder / "pages"),
        "SHOP_SOCKETS": str(folder),
        "SHOP_PAGES_PREFIX": "shop",
        "SHOP_EXPIRES_AT": expires_at,
        "SHOP_RATES_EXPIRE_AT": expires_at,
        "SHOP_STALE_WORKER": "none",
    }


def _faults(name: str, site: dict[str, str]) -> dict[str, str]:
    """Say what is wrong with this node, as its site takes it."""
    drifted = float(site["SHOP_RATES_EXPIRE_AT"]) + _DRIFT_SECONDS
    faults = {
        STALE_NODE: {"SHOP_STALE_WORKER": "2"},
        DRIFTED_NODE: {"SHOP_RATES_EXPIRE_AT": str(drifted)},
        RENAMED_NODE: {"SHOP_PAGES_PREFIX": "shop-next"},
    }
    return faults[name]


def _configuration(deployment: Deployment) -> str:
    """Name the fleet, so that ``cachecheck check`` needs no further word in this folder."""
    secret = json.dumps(str(deployment.folder / SECRET_FILE), ensure_ascii=False)
    nodes = "".join(
        f'    {{ name = "{name}", url = "http://{address}" }},\n'
        for name, address in deployment.addresses.items()
    )
    return f"[fleets.demo]\nsecret_file = {secret}\nnodes = [\n{nodes}]\n"


def _end(nodes: Sequence[Node]) -> None:
    for node in nodes:
        node.ask_to_end()  # all of them, so that they end side by side
    for node in nodes:
        node.end()
