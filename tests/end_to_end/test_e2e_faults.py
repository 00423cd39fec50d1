"""Nodes that are down, hang, lie or send garbage: each costs its own row and nothing else.

The healthy part of the fleet is two nodes with one entry each, in caches of their own, so that a
node that is taken for one without the entry, or with the same one, would show at once.
"""

import dataclasses
import gzip
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest

from cachecheck.signing import (
    Keyring,
    VerifiedRequest,
    authenticate_request,
    secret_from_text,
    sign_response,
)
from harness.faulty import (
    Behaviour,
    FaultyServer,
    close_at_once,
    drip,
    endless_body,
    garbage,
    hang_before_headers,
    hang_in_body,
    respond,
    truncate,
)
from harness.nodes import SECRET, Node
from harness.process import LOOPBACK, free_port
from harness.scenarios import LOCMEM, Check, Checked, Launch

CACHES = {"default": {"BACKEND": LOCMEM}}
DECLARED = {"SCOPES": {"default": "worker"}}
OTHER_SECRET = "another-secret-of-forty-characters-00002"
KEY = ("--key", "user:1")
SOON = ("--timeout", "0.7")


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> dict[str, Node]:
    """Healthy nodes, and those whose fault is in their settings."""
    names = ("healthy", "other", "wrong secret", "switched off", "late", "third")
    nodes = launch.nodes(
        {},
        {},
        {"env": {"CACHECHECK_SECRET": OTHER_SECRET}},
        {"cachecheck": DECLARED | {"ENABLED": False}},
        {"faketime": "+10m"},
        {},
        caches=CACHES,
        cachecheck=DECLARED,
        workers=1,
    )
    for node in nodes:
        node.app("set", key="user:1", value={"name": "Ada"}, timeout=None)
    return dict(zip(names, nodes, strict=True))


@pytest.fixture
def healthy(fleet: dict[str, Node]) -> tuple[Node, Node]:
    return fleet["healthy"], fleet["other"]


def demand_only_rows(checked: Checked, *states: tuple[str, str]) -> dict[str, str]:
    """Demand that the nodes at these addresses are called so, and that all else is well.

    Gives what is said of each, by address.
    """
    rows = {
        next((address for address, _ in states if address in row["url"]), row["url"]): row
        for row in checked.report["nodes"]
    }
    faulty = {address: rows.pop(address) for address, _ in states}
    assert {address: row["state"] for address, row in faulty.items()} == dict(states)
    assert {row["state"] for row in rows.values()} == {"answered"}
    codes = ["F001" if state == "unreachable" else "F002" for _, state in states]
    assert sorted(code for code in checked.codes if code != "F003") == sorted(codes)
    messages = [one["message"] for one in checked.findings]
    details = {address: str(row["detail"]) for address, row in faulty.items()}
    assert all(any(detail in message for message in messages) for detail in details.values())
    coverage = checked.cache()["coverage"]
    assert (coverage["keys_compared"], coverage["views_compared"]) == (1, 2)
    assert checked.cache()["agreement"]["agreeing"] == 1
    return details


def demand_only_its_row(checked: Checked, address: str, state: str) -> str:
    assert checked.exit_code == 3
    assert checked.report["verdict"] == "undecided"
    return demand_only_rows(checked, (address, state))[address]


def wrongly_told(details: Mapping[str, str], reasons: Mapping[str, str]) -> dict[str, str]:
    """Return what does not name its reason."""
    return {
        address: detail for address, detail in details.items() if reasons[address] not in detail
    }


def test_healthy_part_of_the_fleet_is_consistent(healthy: tuple[Node, Node], check: Check) -> None:
    checked = check(healthy, *KEY)
    assert (checked.exit_code, checked.codes) == (0, [])
    assert checked.cache()["coverage"]["views_compared"] == 2


# --- nodes that are not there, or not ours -------------------------------------------------


def test_node_that_is_down_is_unreachable(healthy: tuple[Node, Node], check: Check) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    checked = check([*healthy, address], *KEY)
    assert "refused" in demand_only_its_row(checked, address, "unreachable")


def test_node_whose_name_nobody_knows_is_unreachable(
    healthy: tuple[Node, Node], check: Check
) -> None:
    checked = check([*healthy, "no-such-host.invalid:80"], *KEY)
    detail = demand_only_its_row(checked, "no-such-host", "unreachable")
    assert detail.startswith("DNS: ")


def test_node_without_tls_is_unreachable_by_https(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    address = fleet["third"].address
    checked = check([*healthy, f"https://{address}"], *KEY)
    assert demand_only_its_row(checked, address, "unreachable").startswith("TLS: ")


def test_node_with_another_secret_is_rejected(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    node = fleet["wrong secret"]
    checked = check([*healthy, node], *KEY)
    detail = demand_only_its_row(checked, node.address, "rejected")
    assert "another secret" in detail
    (request_id,) = re.findall(r"under request ([0-9a-f]+)", detail)
    assert f"probe {request_id} refused" in node.log


def test_node_that_is_switched_off_is_rejected(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    node = fleet["switched off"]
    checked = check([*healthy, node], *KEY)
    assert "switched off" in demand_only_its_row(checked, node.address, "rejected")


def test_node_that_has_the_agent_elsewhere_is_rejected(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    address = fleet["third"].address
    checked = check([*healthy, f"http://{address}/elsewhere/"], *KEY)
    assert "not mounted" in demand_only_its_row(checked, address, "rejected")


def test_node_whose_clock_is_off_is_rejected_for_its_clock(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    node = fleet["late"]
    checked = check([*healthy, node], *KEY)
    assert checked.exit_code == 1  # for F003, which is a warning
    detail = demand_only_rows(checked, (node.address, "rejected"))[node.address]
    assert re.search(r"clock is (59\d|60\d) s ahead of ours", detail)
    assert checked.only("F003")["subject"] == node.address
    assert checked.only("F003")["evidence"]["offset_seconds"] == pytest.approx(600, abs=10)


def test_fleet_of_which_nobody_answers_is_undecided(check: Check) -> None:
    checked = check([f"{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{free_port()}"], *KEY)
    assert (checked.exit_code, checked.codes) == (3, ["F001", "F001"])


def test_divergence_outranks_a_node_that_is_down(healthy: tuple[Node, Node], check: Check) -> None:
    healthy[1].app("set", key="user:2", value="Grace", timeout=None)
    healthy[0].app("set", key="user:2", value="Ada", timeout=None)
    checked = check([*healthy, f"{LOOPBACK}:{free_port()}"], "--key", "user:2")
    assert checked.exit_code == 1
    assert checked.codes == ["F001", "V001"]


# --- answers that nobody signed ------------------------------------------------------------

JSON = b'{"type": "described", "protocol": 1}'
HTML = {"Content-Type": "text/html"}
CSRF = b"<h1>Forbidden</h1> CSRF verification failed. Request aborted."
LOGIN = {"Location": "/accounts/login/?next=/cachecheck/probe"}


UNSIGNED = [
    (close_at_once, "failed", "no proper HTTP answer"),
    (garbage, "failed", "no proper HTTP answer"),
    (truncate, "failed", "no proper HTTP answer"),
    (endless_body, "failed", "too large"),
    (respond(200), "failed", "no signature"),
    (respond(200, b"{"), "failed", "no signature"),
    (respond(200, JSON), "failed", "no signature"),
    (respond(200, JSON, compressed=True), "failed", "gzip-compressed"),
    (respond(204), "failed", "no signature"),
    (respond(301, headers={"Location": "https://shop.example/"}), "rejected", "to https"),
    (respond(302, headers=LOGIN), "rejected", "login page"),
    (respond(308, headers={"Location": "/elsewhere/"}), "rejected", "redirects are not followed"),
    (respond(400, b"Bad Request", HTML), "rejected", "ALLOWED_HOSTS"),
    (respond(403, CSRF, HTML), "rejected", "CSRF protection"),
    (respond(404, b"nothing", HTML), "rejected", "not mounted"),
    (respond(500, b"Server Error", HTML), "failed", "the site failed"),
    (respond(503, b"Down for maintenance", HTML), "failed", "maintenance"),
]


def test_answer_that_nobody_signed_says_who_sent_it(
    healthy: tuple[Node, Node], check: Check
) -> None:
    with ExitStack() as started:
        servers = [
            (started.enter_context(FaultyServer(behaviour)).address, state, reason)
            for behaviour, state, reason in UNSIGNED
        ]
        checked = check([*healthy, *(address for address, *_ in servers)], *KEY)
    assert checked.exit_code == 3
    details = demand_only_rows(checked, *((address, state) for address, state, _ in servers))
    assert not wrongly_told(details, {address: reason for address, _, reason in servers})


def test_nodes_that_hang_cost_their_rows_and_end_in_time(
    healthy: tuple[Node, Node], check: Check
) -> None:
    with ExitStack() as started:
        addresses = [
            started.enter_context(FaultyServer(behaviour)).address
            for behaviour in (hang_before_headers, hang_in_body, drip)
        ]
        checked = check([*healthy, *addresses], *KEY, *SOON)
    assert checked.exit_code == 3
    details = demand_only_rows(checked, *((address, "unreachable") for address in addresses))
    assert not wrongly_told(details, dict.fromkeys(addresses, "timed out"))
    assert checked.report["run"]["duration_seconds"] < 6


def test_node_that_hangs_does_not_outlast_the_deadline(
    healthy: tuple[Node, Node], check: Check
) -> None:
    with FaultyServer(hang_before_headers) as server:
        checked = check([*healthy, server.address], *KEY, "--timeout", "60", "--deadline", "3")
    assert checked.exit_code == 3
    assert checked.report["run"]["duration_seconds"] < 4
    states = {row["url"]: row["state"] for row in checked.report["nodes"]}
    assert states.pop(server.url) == "unreachable"
    assert set(states.values()) == {"answered"}


# --- answers that are signed, and still wrong ----------------------------------------------


class Signing:
    """Signs what a faulty node says in answer to the request that was received last."""

    def __init__(self, say: Callable[["Signing"], bytes]) -> None:
        self._say = say
        self.server: FaultyServer | None = None

    def __call__(self, connection: socket.socket, _has_ended: threading.Event) -> None:
        connection.sendall(self._say(self))

    def request(self) -> VerifiedRequest:
        assert self.server is not None
        head = self.server.requests[-1].partition(b"\r\n\r\n")[0].decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        keyring = Keyring((secret_from_text(SECRET),))
        return authenticate_request(keyring=keyring, method="POST", headers=headers)

    def answer(self, body: bytes, *, secret: str = SECRET, **changes: Any) -> bytes:
        """Answer 200 with this body, signed; `changes` are made to the request before."""
        headers = sign_response(
            keyring=Keyring((secret_from_text(secret),)),
            request=dataclasses.replace(self.request(), **changes),
            status=200,
            body=body,
            now=0.0,
        )
        return message(headers, body)


@contextmanager
def signing(say: Callable[[Signing], bytes]) -> Iterator[FaultyServer]:
    signs = Signing(say)
    with FaultyServer(signs) as server:
        signs.server = server
        yield server


_FRAMING = ("Content-Length", "Connection", "Transfer-Encoding")


def message(headers: Mapping[str, str], body: bytes) -> bytes:
    framing = {"Content-Length": str(len(body)), "Connection": "close"}
    kept = {name: value for name, value in headers.items() if name not in _FRAMING}
    fields = {**kept, **framing}
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


NESTED = b'{"protocol": 1, "type": "described", "node": ' + b"[" * 200_000 + b"}"
STRANGE = json.dumps({"protocol": 1, "type": "gossip"}).encode()
NEWER = json.dumps({"protocol": 2, "type": "described"}).encode()
FOREIGN = "sig=:" + "A" * 43 + "=:"


SIGNED = [
    (lambda sign: sign.answer(b"not JSON"), "failed", "cannot be read"),
    (lambda sign: sign.answer(b"\xff\xfe"), "failed", "cannot be read"),
    (lambda sign: sign.answer(b"[]"), "failed", "cannot be read"),
    (lambda sign: sign.answer(STRANGE), "failed", "cannot be read"),
    (lambda sign: sign.answer(JSON), "failed", "cannot be read"),
    (lambda sign: sign.answer(NESTED), "failed", "cannot be read"),
    (lambda sign: sign.answer(NEWER), "incompatible", "protocol version 2"),
    (lambda sign: sign.answer(NEWER, secret=OTHER_SECRET), "failed", "signature does not hold"),
    (lambda sign: sign.answer(NEWER, signature=FOREIGN), "failed", "signature does not hold"),
    (lambda sign: sign.answer(NEWER)[:-1] + b"!", "failed", "changed on the way"),
    (lambda sign: sign.answer(NEWER)[:-1], "failed", "no proper HTTP answer"),
]


def test_answer_that_is_signed_and_wrong_is_named(healthy: tuple[Node, Node], check: Check) -> None:
    with ExitStack() as started:
        servers = [
            (started.enter_context(signing(say)).address, state, reason)
            for say, state, reason in SIGNED
        ]
        checked = check([*healthy, *(address for address, *_ in servers)], *KEY)
    assert checked.exit_code == 3
    details = demand_only_rows(checked, *((address, state) for address, state, _ in servers))
    assert not wrongly_told(details, {address: reason for address, _, reason in servers})


# --- nodes that begin well -----------------------------------------------------------------


class Between:
    """Stands between us and a node: passes probes on, and may change what comes back."""

    def __init__(self, node: Node, change: Callable[[str, bytes], Behaviour | bytes]) -> None:
        self._port = node.port
        self._change = change
        self.server: FaultyServer | None = None

    def __call__(self, connection: socket.socket, has_ended: threading.Event) -> None:
        assert self.server is not None
        request = self.server.requests[-1]
        body = request.partition(b"\r\n\r\n")[2]
        told = self._change(json.loads(body)["type"], self._ask(request))
        if isinstance(told, bytes):
            connection.sendall(told)
        else:
            told(connection, has_ended)

    def _ask(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        onward = HTTPConnection(LOOPBACK, self._port, timeout=5)
        try:
            path, headers = first.split()[1], dict(line.split(": ", 1) for line in lines)
            onward.request("POST", path, body, headers)
            response = onward.getresponse()
            return message(dict(response.getheaders()), response.read())
        finally:
            onward.close()


@contextmanager
def between(
    node: Node, change: Callable[[str, bytes], Behaviour | bytes]
) -> Iterator[FaultyServer]:
    stands = Between(node, change)
    with FaultyServer(stands) as server:
        stands.server = server
        yield server


def demand_not_compared(checked: Checked, *addresses: str) -> None:
    """Demand that what these nodes hold was found neither missing nor the same as elsewhere."""
    assert checked.exit_code == 3
    assert checked.report["verdict"] == "undecided"
    assert not [code for code in checked.codes if code[0] in "VT"]
    told = " ".join(checked.report["undecided"])
    assert [address for address in addresses[:3] if address not in told] == []


def but_for_reading(behaviour: Behaviour) -> Callable[[str, bytes], Behaviour | bytes]:
    return lambda kind, answer: behaviour if kind == "read" else answer


def test_nodes_that_describe_themselves_and_then_fail_leave_keys_unread(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    faults = (garbage, close_at_once, hang_in_body, respond(404, b"gone"), endless_body)
    with ExitStack() as started:
        addresses = [
            started.enter_context(between(fleet["third"], but_for_reading(fault))).address
            for fault in faults
        ]
        checked = check([*healthy, *addresses], *KEY, *SOON, "--deadline", "10")
    demand_not_compared(checked, *sorted(addresses))
    assert checked.report["run"]["duration_seconds"] < 11


def test_divergence_among_others_is_found_beside_a_node_that_fails(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    for node, value in zip(healthy, ("Ada", "Grace"), strict=True):
        node.app("set", key="user:3", value=value, timeout=None)
    with between(fleet["third"], but_for_reading(garbage)) as server:
        checked = check([*healthy, server.address], "--key", "user:3")
    assert checked.exit_code == 1
    assert checked.codes == ["V001"]


def test_answer_given_before_is_no_answer_now(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    first: list[bytes] = []

    def change(kind: str, answer: bytes) -> bytes:
        if kind == "read":
            first.append(answer)
            return first[0]
        return answer

    with between(fleet["third"], change) as server:
        unharmed = check([*healthy, server.address], *KEY)
        checked = check([*healthy, server.address], *KEY)
    assert unharmed.exit_code == 0
    demand_not_compared(checked, server.address)


def test_answer_compressed_after_signing_is_told_as_such(
    healthy: tuple[Node, Node], fleet: dict[str, Node], check: Check
) -> None:
    def change(_kind: str, answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        return message({**headers, "Content-Encoding": "gzip"}, gzip.compress(body))

    with between(fleet["third"], change) as server:
        checked = check([*healthy, server.address], *KEY)
    assert "gzip" in demand_only_its_row(checked, server.address, "failed")
