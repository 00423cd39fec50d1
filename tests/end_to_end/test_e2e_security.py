"""The probe endpoint among a site's own defences, and what strangers get from it."""

import contextlib
import json
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest

from cachecheck import wire
from cachecheck.digest import key_digest
from cachecheck.errors import SignatureError
from cachecheck.model import Key
from cachecheck.signing import Keyring, secret_from_text, sign_request, verify_response
from harness.memcached import MemcachedServer
from harness.nodes import SECRET, Node
from harness.process import LOOPBACK, Finished, exchange
from harness.redis import RedisServer
from harness.scenarios import LOCMEM, MEMCACHED, REDIS, Check, Checked, Launch

OTHER_SECRET = "another-secret-of-forty-characters-00002"
KEYRING = Keyring((secret_from_text(SECRET),))
SEED = "0123456789abcdef" * 2
PROBE = "/cachecheck/probe"
HOST = "shop.example"
DEFENDED = {
    "ALLOWED_HOSTS": [HOST],
    "SECURE_SSL_REDIRECT": True,
    "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
    "INSTALLED_APPS": [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
    ],
    "MIDDLEWARE": [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ],
}
AS_ITS_USERS = {"Host": HOST, "X-Forwarded-Proto": "https"}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back on one connection; the Date is left out of `headers`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass(frozen=True, kw_only=True)
class Site:
    """A defended site of one worker, with its stores."""

    node: Node
    redis: RedisServer
    memcached: MemcachedServer

    def accesses(self) -> set[str]:
        """Count what was asked of its stores so far."""
        told = exchange(self.redis.port, b"INFO commandstats\r\n").decode().splitlines()
        calls = {line for line in told if line.startswith("cmdstat") and "cmdstat_info" not in line}
        with socket.create_connection((LOOPBACK, self.memcached.port), 5) as connection:
            connection.sendall(b"stats\r\n")
            answer = b""
            while b"END\r\n" not in answer:
                answer += connection.recv(65_536)
        lines = [line.split() for line in answer.decode().splitlines() if " " in line]
        counted = ("cmd_", "get_", "touch_", "incr_", "delete_", "cas_", "curr_items", "lru_crawl")
        stats = {f"{name} {value}" for _, name, value in lines if name.startswith(counted)}
        assert calls
        assert stats
        return calls | stats


@pytest.fixture(scope="module")
def site(launch: Launch) -> Site:
    redis, memcached = launch.redis(), launch.memcached()
    order = {"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": 3, "CULL_FREQUENCY": 3}}
    (node,) = launch.nodes(
        {},
        caches={
            "default": {"BACKEND": REDIS, "LOCATION": redis.url},
            "memcached": {"BACKEND": MEMCACHED, "LOCATION": memcached.address},
            "local": order,
        },
        cachecheck={"WITHHOLD": ["private:*"]},
        settings=DEFENDED,
        headers=AS_ITS_USERS,
        workers=1,
    )
    for alias in ("default", "memcached", "local"):
        node.app("set", cache=alias, key="k", value="v", timeout=None)
    return Site(node=node, redis=redis, memcached=memcached)


@pytest.fixture(scope="module")
def defended(launch: Launch) -> tuple[Node, ...]:
    """Two defended nodes on one Redis, which hold both secrets of a rotation."""
    store = launch.redis()
    nodes = launch.nodes(
        {},
        {"cachecheck": {"SECRET": [["new", OTHER_SECRET], ["default", SECRET]], "NODE": "blue"}},
        caches={"default": {"BACKEND": REDIS, "LOCATION": store.url}},
        settings=DEFENDED,
        headers=AS_ITS_USERS,
        workers=2,
    )
    values = {f"page:{number}": "x" * 500 for number in range(50)}
    nodes[0].app("set_many", value=values, timeout=3600)
    return nodes


def ask(
    site: Site, body: bytes, headers: Mapping[str, str], *, path: str = PROBE, method: str = "POST"
) -> Reply:
    connection = HTTPConnection(LOOPBACK, site.node.port, timeout=10)
    try:
        sent = {"content-type": "application/json", "Connection": "close"}
        connection.request(method, path, body, {**sent, **AS_ITS_USERS, **headers})
        response = connection.getresponse()
        told = tuple((name, value) for name, value in response.getheaders() if name != "Date")
        return Reply(status=response.status, headers=told, body=response.read())
    finally:
        connection.close()


def signed(
    body: bytes, *, secret: str = SECRET, age_seconds: float = 0.0, node: str = "web-1"
) -> dict[str, str]:
    return sign_request(
        keyring=Keyring((secret_from_text(secret),)),
        node=node,
        body=body,
        now=time.time() - age_seconds,
        nonce=secrets.token_hex(16),
    )


def reading(alias: str = "local", *keys: Key) -> bytes:
    named = keys or (Key(name="k"),)
    return wire.encode(wire.Read(run="run-1", cache=alias, seed=SEED, keys=named))


def surveying(alias: str) -> bytes:
    return wire.encode(wire.Survey(run="run-1", cache=alias, seed=SEED, sample=100))


def is_signed_for(reply: Reply, request: Mapping[str, str]) -> bool:
    with contextlib.suppress(SignatureError):
        verify_response(
            keyring=KEYRING,
            request_headers=request,
            status=reply.status,
            headers={name.lower(): value for name, value in reply.headers},
            body=reply.body,
        )
        return True
    return False


# --- a site with all its defences up -------------------------------------------------------

LIKE_ITS_USERS = ("--host-header", HOST, "--header", "X-Forwarded-Proto: https")


def by_name(nodes: tuple[Node, ...]) -> list[str]:
    return [f"{name}={node.url}" for name, node in zip(("green", "blue"), nodes, strict=True)]


def rejected(checked: Checked) -> list[str]:
    assert checked.exit_code == 3
    assert checked.codes == ["F002", "F002"]
    assert {row["state"] for row in checked.report["nodes"]} == {"rejected"}
    return [row["detail"] for row in checked.report["nodes"]]


def test_defended_site_is_probed_by_ip(defended: tuple[Node, ...], check: Check) -> None:
    checked = check(by_name(defended), *LIKE_ITS_USERS, "--sample", "50")
    assert (checked.exit_code, checked.codes) == (0, [])
    assert checked.views_by_store() == [4]
    assert checked.cache()["coverage"]["keys_compared"] == 50


def test_site_that_does_not_know_the_host_names_allowed_hosts(
    defended: tuple[Node, ...], check: Check
) -> None:
    checked = check(by_name(defended), *LIKE_ITS_USERS[2:])
    assert all("ALLOWED_HOSTS" in d and "--host-header" in d for d in rejected(checked))


def test_site_that_wants_tls_names_its_redirect(defended: tuple[Node, ...], check: Check) -> None:
    checked = check(by_name(defended), *LIKE_ITS_USERS[:2])
    assert all("SECURE_SSL_REDIRECT" in d and "--header" in d for d in rejected(checked))


def test_either_secret_of_a_rotation_is_good(
    defended: tuple[Node, ...], run_cli: Callable[..., Finished]
) -> None:
    def codes(secret: str, keyid: str) -> tuple[int, str]:
        done = run_cli(
            "check",
            by_name(defended)[1],
            *LIKE_ITS_USERS,
            *("--keyid", keyid, "--format", "json"),
            env={"CACHECHECK_SECRET": secret},
        )
        return done.exit_code, json.loads(done.stdout)["nodes"][0]["state"]

    assert codes(SECRET, "default") == (0, "answered")
    assert codes(OTHER_SECRET, "new") == (0, "answered")
    assert codes(OTHER_SECRET, "default") == (3, "rejected")
    assert codes(SECRET, "gone") == (3, "rejected")


def test_node_with_a_name_refuses_what_is_meant_for_another(
    defended: tuple[Node, ...], check: Check
) -> None:
    checked = check([f"red={defended[1].url}", by_name(defended)[0]], *LIKE_ITS_USERS)
    assert checked.exit_code == 3
    assert checked.codes == ["F002"]
    message = checked.only("F002")["message"]
    assert message.startswith("red gave no usable answer (rejected): refused as wrong-node")
    assert "this is node 'blue', asked for was 'red'" in message


# --- strangers -----------------------------------------------------------------------------

LARGE = b" " * (wire.MAX_BODY_BYTES + 1)

STRANGE: dict[str, Callable[[], tuple[bytes, dict[str, str]]]] = {
    "unsigned": lambda: (reading(), {}),
    "signed for another body": lambda: (reading(), signed(reading("default"))),
    "signed with another secret": lambda: (reading(), signed(reading(), secret=OTHER_SECRET)),
    "signed by nobody": lambda: (reading(), signed(reading()) | {"signature": "cachecheck=:AA==:"}),
    "signed for another purpose": lambda: (
        reading(),
        {
            name: value.replace("cachecheck-probe", "another-purpose")
            for name, value in signed(reading()).items()
        },
    ),
    "moved to another node": lambda: (reading(), signed(reading()) | {"cachecheck-node": "web-2"}),
    "oversized": lambda: (LARGE, {}),
    "oversized, signed for another body": lambda: (LARGE, {"signature": "cachecheck=:AA==:"}),
    "endless header": lambda: (reading(), signed(reading()) | {"signature": "x" * 5000}),
    "without a body": lambda: (b"", {}),
}


@pytest.mark.parametrize("name", STRANGE)
def test_stranger_gets_the_site_s_own_404_and_touches_no_cache(site: Site, name: str) -> None:
    body, headers = STRANGE[name]()
    before = site.accesses()
    assert ask(site, body, headers) == ask(site, body, headers, path="/cachecheck/nothing")
    assert ask(site, body, headers).status == 404
    assert site.accesses() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_find_nothing_even_when_signed(site: Site, method: str) -> None:
    before = site.accesses()
    found = ask(site, reading(), signed(reading()), method=method)
    assert found == ask(site, reading(), {}, method=method, path="/cachecheck/nothing")
    assert found.status == 404
    assert site.accesses() == before


def test_stranger_moves_no_entry_of_a_worker_s_own_memory(site: Site) -> None:
    for key in ("a", "b", "c"):  # three are the most; the next drops the one used least recently
        site.node.app("set", cache="local", key=key, value=key, timeout=None)
    body = reading("local", Key(name="a"))
    for headers in ({}, signed(body, secret=OTHER_SECRET), signed(body, age_seconds=3600)):
        ask(site, body, headers)
    assert ask(site, body, signed(body)).message["type"] == "readings"
    site.node.app("set", cache="local", key="d", value="d", timeout=None)
    left = site.node.app("get_many", cache="local", value=["a", "b", "c", "d"]).result
    assert sorted(left) == ["b", "c", "d"]


def test_reason_stands_in_the_node_s_log_under_the_request_s_id(site: Site) -> None:
    request_id = secrets.token_hex(8)
    ask(site, reading(), {"cachecheck-request": request_id})
    (line,) = (line for line in site.node.log.splitlines() if request_id in line)
    assert line.startswith(f"WARNING cachecheck.agent probe {request_id} refused: no header")


# --- those who can sign --------------------------------------------------------------------


def test_oversized_request_is_told_so_once_its_signature_holds(site: Site) -> None:
    before, headers = site.accesses(), signed(LARGE)
    refused = ask(site, LARGE, headers)
    assert refused.status == 413
    assert is_signed_for(refused, headers)
    assert (refused.message["type"], refused.message["reason"]) == ("refused", "too-large")
    assert site.accesses() == before


@pytest.mark.parametrize("age_seconds", [3600, -3600])
def test_stale_request_is_told_the_node_s_clock(site: Site, age_seconds: float) -> None:
    before, headers = site.accesses(), signed(reading(), age_seconds=age_seconds)
    refused = ask(site, reading(), headers)
    assert is_signed_for(refused, headers)
    assert (refused.message["type"], refused.message["reason"]) == ("refused", "stale")
    assert refused.message["clock"] == pytest.approx(time.time(), abs=10)
    assert site.accesses() == before


def test_replayed_request_is_refused_by_the_same_worker(site: Site) -> None:
    body = reading("default")
    headers = signed(body)
    assert ask(site, body, headers).message["type"] == "readings"
    before = site.accesses()
    again = ask(site, body, headers)
    assert again == ask(site, body, headers, path="/cachecheck/nothing")
    assert again.status == 404
    assert site.accesses() == before


@pytest.mark.parametrize(
    "body",
    [b"not JSON", b"[]", b'{"protocol": 1, "type": "gossip"}', b'{"protocol": 2}', b"[" * 100_000],
    ids=["not JSON", "no object", "unknown type", "another protocol", "nested deeply"],
)
def test_signed_nonsense_is_refused_with_a_reason(site: Site, body: bytes) -> None:
    before, headers = site.accesses(), signed(body)
    refused = ask(site, body, headers)
    assert is_signed_for(refused, headers)
    assert refused.message["reason"] == "bad-request"
    assert site.accesses() == before


def test_answer_is_not_cached_and_not_compressed(site: Site) -> None:
    body = wire.encode(wire.Describe(run="run-1", probe_keys=("probe",)))
    headers = signed(body)
    answer = ask(site, body, {**headers, "Accept-Encoding": "identity"})
    assert is_signed_for(answer, headers)
    named = {name.lower(): value for name, value in answer.headers}
    assert "no-store" in named["cache-control"]
    assert "content-encoding" not in named
    assert "set-cookie" not in named


# --- what never leaves ---------------------------------------------------------------------


@pytest.mark.parametrize("alias", ["default", "memcached", "local"])
def test_withheld_keys_leave_neither_by_name_nor_by_digest(site: Site, alias: str) -> None:
    site.node.app("set", cache=alias, key="private:1", value="pin 1234", timeout=None)
    names = (":1:private:1", ":2:private:1", "other:prefix:1:private:1")
    stored = [Key(name=name, naming="stored") for name in names]
    body = reading(alias, Key(name="private:1"), *stored)
    answers = [ask(site, asked, signed(asked)) for asked in (surveying(alias), body)]
    digests = [key_digest(bytes.fromhex(SEED), name) for name in ("private:1", ":1:private:1")]
    for answer in answers:
        told = answer.body.decode()
        assert not [secret for secret in ("private:1", "pin 1234", *digests) if secret in told]
    surveyed, read = (answer.message for answer in answers)
    assert surveyed["type"] == "surveyed"
    assert surveyed["summary"]["withheld"] >= 1
    assert [one["reason"] for one in read["readings"]] == ["withheld"] * 4


def test_switch_in_the_environment_shuts_the_endpoint(launch: Launch) -> None:
    (node,) = launch.nodes(
        {}, caches={"default": {"BACKEND": LOCMEM}}, env={"CACHECHECK_ENABLED": "off"}, workers=1
    )
    shut = Site(node=node, redis=None, memcached=None)  # type: ignore[arg-type]
    found = ask(shut, reading("default"), signed(reading("default")))
    assert found == ask(shut, b"", {}, path="/cachecheck/nothing")
    checked = node.manage("check")
    assert "switched off by ENABLED" in checked.stdout + checked.stderr


def test_no_secret_is_in_a_log_or_in_what_the_command_prints(
    site: Site, defended: tuple[Node, ...], run_cli: Callable[..., Finished]
) -> None:
    every = run_cli("check", *by_name(defended), *LIKE_ITS_USERS, "--verbose")
    refused = run_cli("check", *by_name(defended), "--verbose", "--format", "json")
    wrong = run_cli("check", "x:1", env={"CACHECHECK_SECRET": SECRET[:20]})
    ask(site, reading(), signed(reading(), secret=OTHER_SECRET))
    printed = "".join(done.stdout + done.stderr for done in (every, refused, wrong))
    logged = "".join(node.log for node in (site.node, *defended))
    assert "cachecheck" in printed
    assert "cachecheck" in logged
    secrets_known = (SECRET, SECRET[:20], OTHER_SECRET)
    assert not [secret for secret in secrets_known if secret in printed + logged]
