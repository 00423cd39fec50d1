"""The relay: where sockets may be, who is answered on them, and what a sibling can cost others."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from cachecheck import wire
from cachecheck.agent import conf as settings
from cachecheck.agent.answers import answer
from cachecheck.agent.judging import Held, Probe, respond
from cachecheck.agent.relay import relaying, starting
from cachecheck.agent.relay.folder import Name, Unfit, open_folder
from cachecheck.agent.relay.frames import Returned, decode, frame, handed, length_of
from cachecheck.agent.relay.listening import Listener
from cachecheck.agent.worker import this_worker
from cachecheck.signing import Keyring, secret_from_text, sign_request, verify_response
from cachecheck.wire import Describe, Described, Refused, Relayed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "a-test-secret-of-forty-characters-000001"
KEYRING = Keyring((secret_from_text(SECRET),))
NOBODY = 65_534


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Settings of a site whose sockets are in a folder of the test's own."""
    chosen = {"SECRET": SECRET, "RELAY": str(tmp_path)}
    monkeypatch.setattr(django_settings, "CACHECHECK", chosen, raising=False)
    return chosen


@pytest.fixture
def listener(configured: dict[str, Any]) -> Iterator[Listener]:
    assert configured
    with closing(Listener(settings.load(), "command")) as one:
        yield one


def signed(request: wire.AnyRequest) -> tuple[dict[str, str], bytes]:
    body, nonce = wire.encode(request), token_hex(8)
    headers = sign_request(keyring=KEYRING, node="web-1", body=body, now=time.time(), nonce=nonce)
    return headers, body


def say(listener: Listener, sent: bytes) -> bytes:
    """Send bytes to a listener; give all that comes back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(listener.folder.address(str(listener.name)))
        received = bytearray()
        with suppress(ConnectionResetError, BrokenPipeError):  # it closed with some of ours unread
            connection.sendall(sent)
            while chunk := connection.recv(65_536):
                received += chunk
        return bytes(received)


# --- where -----------------------------------------------------------------------------------


def test_sockets_are_private_and_leave_nothing_behind(listener: Listener, tmp_path: Path) -> None:
    (site,) = (tmp_path / f"cachecheck-{os.geteuid()}").iterdir()
    (made,) = site.iterdir()
    modes = [path.stat().st_mode & 0o777 for path in (site.parent, site, made)]
    assert modes == [0o700, 0o700, 0o600]
    assert made.name == str(listener.name)
    listener.close()
    assert list(tmp_path.iterdir()) == []


def refusal_of() -> str:
    with pytest.raises(Unfit) as caught:
        open_folder(settings.load())
    return caught.value.reason


def test_a_folder_that_others_may_enter_is_refused(
    configured: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configured
    monkeypatch.setattr(starting, "_state", starting._State())  # noqa: SLF001  a process that is new
    (tmp_path / f"cachecheck-{os.geteuid()}").mkdir(mode=0o755)
    assert "not private" in refusal_of()
    assert "not private" in (starting.why_off(settings.load()) or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(configured: dict[str, Any], tmp_path: Path) -> None:
    assert configured
    theirs = tmp_path / f"cachecheck-{os.geteuid()}"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    assert "not private" in refusal_of()


def test_a_link_in_place_of_the_folder_is_refused(
    configured: dict[str, Any], tmp_path: Path
) -> None:
    assert configured
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"cachecheck-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    assert str(tmp_path) in refusal_of()


def test_a_folder_in_which_others_may_rename_is_refused(
    configured: dict[str, Any], tmp_path: Path
) -> None:
    assert configured
    tmp_path.chmod(0o777)
    assert "replace" in refusal_of()
    tmp_path.chmod(0o1777)
    open_folder(settings.load()).close()


def test_sites_with_other_secrets_or_applications_do_not_meet(
    configured: dict[str, Any], listener: Listener
) -> None:
    assert [*listener.folder.names()] == [listener.name]
    for change in ({"SECRET": SECRET[::-1]}, {"APPLICATION": "another"}):
        before = dict(configured)
        configured.update(change)
        with closing(open_folder(settings.load())) as other:
            assert [*other.names()] == []
        configured.clear()
        configured.update(before)


def test_sockets_of_dead_processes_are_removed_by_whoever_comes(listener: Listener) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = Name("web", listener.name.kin, ended.pid, "0123456789")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(listener.folder.address(str(dead)))
    with closing(Listener(settings.load(), "command")) as other:
        assert dead not in [*other.folder.names()]


# --- who is answered -------------------------------------------------------------------------


def test_a_signed_request_is_answered_signed(listener: Listener) -> None:
    headers, body = signed(Describe(run="run", probe_keys=("probe",)))
    received = say(listener, frame(handed(headers, body)))
    assert length_of(received[:4]) == len(received) - 4
    returned = decode(Returned, received[4:])
    verify_response(
        keyring=KEYRING,
        request_headers=headers,
        status=returned.status,
        headers=returned.headers,
        body=returned.body,
    )
    answer = wire.decode_answer(returned.body)
    assert isinstance(answer, Described)
    assert (answer.worker.pid, answer.worker.role) == (os.getpid(), "command")


def test_the_same_request_is_answered_once(listener: Listener) -> None:
    asked = frame(handed(*signed(Describe(run="run", probe_keys=("probe",)))))
    assert say(listener, asked)
    assert say(listener, asked) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x00\x00\x00\x04junk",
        frame(handed({}, b"{}")),
        frame(handed({"signature": "sig1=:AAAA:", "signature-input": "sig1=()"}, b"{}")),
        b"\x7f\xff\xff\xff" + b"x" * 100_000,
        b"\x00",
    ],
    ids=["http", "junk", "unsigned", "badly signed", "endless", "nothing more"],
)
def test_what_is_not_signed_gets_nothing_and_stops_nobody(listener: Listener, sent: bytes) -> None:
    assert say(listener, sent) == b""
    assert say(listener, frame(handed(*signed(Describe(run="r", probe_keys=("p",))))))


def test_a_body_that_was_changed_gets_nothing(listener: Listener) -> None:
    headers, body = signed(Describe(run="run", probe_keys=("probe",)))
    assert say(listener, frame(handed(headers, body.replace(b"run", b"nur")))) == b""


@pytest.mark.parametrize("relay_seconds", [None, 0.1])
def test_what_no_message_can_hold_is_refused_by_a_signed_answer(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, relay_seconds: float | None
) -> None:
    """A prefix out of the environment, say, in another encoding than UTF-8."""
    monkeypatch.setattr(relaying, "listener_for", lambda _conf: listener)
    backend = "django.core.cache.backends.locmem.LocMemCache"
    request = Describe(run="run", probe_keys=("probe",), relay_seconds=relay_seconds)
    headers, body = signed(request)
    conf = settings.load()
    assert conf.keyring is not None
    with override_settings(CACHES={"default": {"BACKEND": backend, "KEY_PREFIX": "caf\udce9"}}):
        given = respond(
            Probe("POST", headers, lambda _most: body),
            conf,
            conf.keyring,
            this_worker,
            lambda held: (
                relaying.relayed(held, 0.1, conf)
                if relay_seconds
                else answer(held.asked, conf, held.worker, held.received_at)
            ),
        )
    told = wire.decode_answer(given.body)
    assert isinstance(told, Refused)
    assert told.reason == "not-allowed"


def test_a_process_that_is_switched_off_answers_nothing(
    configured: dict[str, Any], listener: Listener
) -> None:
    configured["RELAY"] = False
    asked = frame(handed(*signed(Describe(run="run", probe_keys=("probe",)))))
    assert say(listener, asked) == b""


def test_a_socket_that_was_tidied_away_comes_back(
    monkeypatch: pytest.MonkeyPatch, configured: dict[str, Any]
) -> None:
    assert configured
    monkeypatch.setattr("cachecheck.agent.relay.listening.LOOK_SECONDS", 0.05)
    with closing(Listener(settings.load(), "command")) as one:
        one.folder.remove(str(one.name))
        until = time.monotonic() + 10
        while not one.folder.is_current(str(one.name)) and time.monotonic() < until:
            time.sleep(0.01)
        assert say(one, frame(handed(*signed(Describe(run="r", probe_keys=("p",))))))


# --- answering for others --------------------------------------------------------------------


@pytest.fixture
def relaying_here(monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Listener:
    """This process relays; a second listener of it stands for a sibling in each test."""
    monkeypatch.setattr(relaying, "listener_for", lambda _conf: listener)
    return listener


def relay(request: wire.AnyRequest, seconds: float = 0.3) -> Relayed:
    headers, body = signed(request)
    held = Held(request, headers, body, this_worker("web"), time.time())
    return relaying.relayed(held, seconds, settings.load())


@contextmanager
def sibling(listener: Listener, says: bytes | None, mark: str = "0" * 10) -> Iterator[Name]:
    """A process of this site that says something, or nothing, to whoever asks."""
    name = Name("celery", listener.name.kin, os.getpid(), mark)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(listener.folder.address(str(name)))
        made.listen()
        held: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):  # nobody came
                connection, _ = made.accept()
                held.append(connection)
                connection.recv(65_536)
                if says is not None:
                    connection.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        yield name
        listener.folder.remove(str(name))
        for connection in held:
            connection.close()


def describe(**more: Any) -> Describe:
    return Describe(run="run", probe_keys=("probe",), relay_seconds=0.3, **more)


def test_a_worker_without_siblings_answers_alone(relaying_here: Listener) -> None:
    assert relaying_here
    answer = relay(describe())
    assert [type(one) for one in answer.answers] == [Described]
    assert (answer.unheard, answer.off) == ((), None)


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (None, "in time"),
        (b"\x00\x00\x00\x02no", "cannot be read"),
        (frame(Returned(status=200, headers={}, body=b"{}")), "not signed"),
        (b"\x7f\xff\xff\xff", "does not fit"),
    ],
    ids=["silent", "garbage", "unsigned", "endless"],
)
def test_a_sibling_that_says_nothing_good_is_named_and_costs_the_others_nothing(
    relaying_here: Listener, says: bytes | None, reason: str
) -> None:
    with sibling(relaying_here, says) as name:
        answer = relay(describe())
    assert [type(one) for one in answer.answers] == [Described]
    (unheard,) = answer.unheard
    assert (unheard.pid, unheard.role) == (name.pid, "celery")
    assert reason in unheard.reason


def test_an_answer_signed_for_another_request_is_left_out(
    configured: dict[str, Any], relaying_here: Listener
) -> None:
    assert configured
    asked = frame(handed(*signed(Describe(run="run", probe_keys=("probe",)))))
    with sibling(relaying_here, say(relaying_here, asked)):
        answer = relay(describe())
    assert [type(one) for one in answer.answers] == [Described]
    assert "not signed" in answer.unheard[0].reason


def test_what_is_for_one_worker_reaches_no_other(relaying_here: Listener) -> None:
    with sibling(relaying_here, None):
        answer = relay(describe(audience=(this_worker().id,)))
        assert len(answer.answers) == 1
        other = relay(describe(audience=("somebody-else",)))
    assert answer.unheard == other.unheard == other.answers == ()


def test_an_answer_that_does_not_fit_is_told(
    configured: dict[str, Any], relaying_here: Listener
) -> None:
    with closing(_Echo(relaying_here)) as echo:
        whole = relay(describe())
        assert [len(whole.answers), whole.unheard] == [2, ()]
        size_bytes = len(wire.encode(whole))
        configured["MAX_ANSWER"] = size_bytes + 3_000
        cut = relay(describe())
    assert echo.answered == 2
    assert len(cut.answers) == 1
    assert "does not fit" in cut.unheard[0].reason
    assert len(wire.encode(cut)) <= configured["MAX_ANSWER"]


class _Echo:
    """A sibling that answers as this very process would, through its listener."""

    def __init__(self, listener: Listener) -> None:
        self.answered = 0
        self._listener = listener
        self._name = Name("command", listener.name.kin, os.getpid(), "1" * 10)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(listener.folder.address(str(self._name)))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.folder.remove(str(self._name))
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                answer = say(self._listener, connection.recv(65_536))
                self.answered += 1
                connection.sendall(answer)


def test_answers_that_come_together_take_no_more_room_than_one(
    configured: dict[str, Any], relaying_here: Listener
) -> None:
    configured["MAX_ANSWER"] = 100_000
    part = (90_000).to_bytes(4, "big") + bytes(60_000)
    with ExitStack() as stack:
        for number in range(6):
            stack.enter_context(sibling(relaying_here, part, f"{number:010}"))
        answer = relay(describe())
    reasons = [one.reason for one in answer.unheard]
    assert len(reasons) == 6
    assert sum("does not fit" in reason for reason in reasons) >= 3
    assert [type(one) for one in answer.answers] == [Described]


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_worker_without_descriptors_left_answers_for_itself(relaying_here: Listener) -> None:
    with sibling(relaying_here, None), no_descriptors_left():
        answer = relay(describe())
    assert len(answer.answers) == 1
    assert "cannot be asked" in (answer.off or "")


def test_a_worker_whose_folder_was_just_let_go_answers_for_itself(relaying_here: Listener) -> None:
    relaying_here.close()
    answer = relay(describe())
    assert [type(one) for one in answer.answers] == [Described]
    assert "cannot be asked" in (answer.off or "")


def test_a_process_listens_on_when_descriptors_were_short_for_a_moment(listener: Listener) -> None:
    with socket.socket(socket.AF_UNIX) as waiting:
        address = listener.folder.address(str(listener.name))
        with no_descriptors_left():
            waiting.connect(address)
            time.sleep(0.2)
        assert say(listener, frame(handed(*signed(Describe(run="r", probe_keys=("p",))))))


def test_a_node_of_another_name_on_this_host_is_no_sibling(
    configured: dict[str, Any], relaying_here: Listener
) -> None:
    configured["NODE"] = "web-2"
    with closing(_Echo(relaying_here)) as echo:
        answer = relay(describe())
    assert echo.answered == 1
    assert answer.unheard == ()
    assert not [one for one in answer.answers if isinstance(one, Refused)]


def test_a_process_whose_relay_is_off_says_why(
    configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    configured["RELAY"] = False
    assert relay(describe()).off == "switched off by RELAY"
    monkeypatch.setattr(starting, "_state", starting._State())  # noqa: SLF001  a process that is new
    configured["RELAY"] = "/nonexistent/folder"
    assert "/nonexistent/folder" in (relay(describe()).off or "")


def test_a_process_that_gets_no_thread_keeps_nothing_open(
    configured: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configured

    def no_more(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        with pytest.raises(RuntimeError):
            Listener(settings.load(), "command")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert list(tmp_path.iterdir()) == []


def test_no_request_waits_for_another_that_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    state = starting._State()  # noqa: SLF001  a process that is new
    monkeypatch.setattr(starting, "_state", state)
    with state.lock:
        second = threading.Thread(target=starting._begin, daemon=True)  # noqa: SLF001
        second.start()
        second.join(5)
        assert not second.is_alive()


# --- processes -------------------------------------------------------------------------------

SITE = """
import os, sys, threading, warnings
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["cachecheck.agent"],
    CACHES={{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}},
    CACHECHECK={{"SECRET": "{secret}", "RELAY": "{folder}"}},
)
django.setup()
from django.core.cache import cache
def listening():
    return sorted(name for _, _, names in os.walk("{folder}") for name in names)
print(listening())
cache.get("k")
print([name.split("-")[0] for name in listening()])
{then}
"""


def run_site(tmp_path: Path, then: str = "") -> list[str]:
    """Run a program of a site that uses its cache; give what it prints, line by line."""
    program = SITE.format(secret=SECRET, folder=tmp_path, then=then)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_a_process_listens_once_it_has_used_a_cache_and_tidies_up(tmp_path: Path) -> None:
    assert run_site(tmp_path) == ["[]", "['command']"]
    assert list(tmp_path.iterdir()) == []


FORK = """
pid = os.fork()
if pid == 0:
    print("cachecheck-relay" in [thread.name for thread in threading.enumerate()], flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print([name.split("-")[0] for name in listening()])
"""


def test_no_thread_of_ours_lives_through_a_fork(tmp_path: Path) -> None:
    told = run_site(tmp_path, FORK)
    assert told[2:] == ["False", "['command']"]


FORK_WHILE_BUSY = """
from cachecheck.agent import answers
with answers._in_turn(answers._turns.surveying, "busy"):
    pid = os.fork()
    if pid == 0:
        with answers._in_turn(answers._turns.surveying, "busy"):
            print("free", flush=True)
        os._exit(0)
os.waitpid(pid, 0)
"""


def test_a_fork_in_the_middle_of_a_probe_leaves_no_turn_taken(tmp_path: Path) -> None:
    assert run_site(tmp_path, FORK_WHILE_BUSY)[2:] == ["free"]


FORK_AND_LISTEN = """
import time
pid = os.fork()
if pid == 0:
    time.sleep(1)
    os._exit(0)
until = time.monotonic() + 10
while len(listening()) < 2 and time.monotonic() < until:
    time.sleep(0.01)
print(len({name.split("-")[2] for name in listening()} & {str(pid), str(os.getpid())}))
os.waitpid(pid, 0)
"""


def test_what_is_forked_from_a_process_at_work_listens_as_well(tmp_path: Path) -> None:
    assert run_site(tmp_path, FORK_AND_LISTEN)[-1] == "2"


def test_a_site_starts_where_nobody_can_listen(tmp_path: Path) -> None:
    (tmp_path / f"cachecheck-{os.geteuid()}").touch()
    told = run_site(tmp_path, "print(cache.get('k', 'served'))")
    assert told == [f"['cachecheck-{os.geteuid()}']", "['cachecheck']", "served"]
