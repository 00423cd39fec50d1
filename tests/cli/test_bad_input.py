"""What cannot be meant ends with exit code 2 and one message that says what to do."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cachecheck.cli.main import main
from harness.nodes import SECRET, Node
from harness.process import Finished

NODE = "web-1:8000"
NODES = (NODE, "web-2:8000")
CONFIG = """\
[fleets.one]
nodes = ["web-1:8000"]

[fleets.two]
nodes = []
"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """How the command ended."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Run the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CACHECHECK_SECRET", SECRET)
    monkeypatch.setenv("COLUMNS", "300")

    def ended(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["cachecheck", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(exit_code=int(ended.value.code or 0), stdout=said.out, stderr=said.err)

    return ended


def demand_usage_error(said: Said | Finished, *words: str) -> None:
    assert said.exit_code == 2
    assert said.stdout == ""
    assert "Traceback" not in said.stderr
    assert [word for word in words if word not in said.stderr] == []


def demand_one_message(said: Said | Finished, *words: str) -> None:
    demand_usage_error(said, *words)
    assert said.stderr.startswith("cachecheck: ")
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("ftp://web-1", ["ftp://", "http or https"]),
        ("redis://10.0.0.1/zero", ["redis://", "a database is a number"]),
        ("redis://ada:pw-of-ada@10.0.0.1/0", ["redis://", "password_file"]),
        ("redis://10.0.0.1/0?password=pw-of-ada", ["redis://", "CACHECHECK_STORE_PASSWORD"]),
        ("redis://10.0.0.1/0?prefix=a&form=b", ["form says all"]),
        ("memcached://10.0.0.1/3", ["memcached://", "no numbered databases"]),
        ("://web-1", ["://"]),
        ("", ["HOST:PORT"]),
        ("web 1", ["'web 1'", "HOST:PORT"]),
        ("web-1:8000:9000", ["HOST:PORT"]),
        ("web-1:port", ["HOST:PORT"]),
        ("web-1:99999", ["web-1:99999"]),
        ("web-1:0", ["web-1:0"]),
        ("http://", ["http(s)://HOST"]),
        ("http:///cachecheck/", ["http(s)://HOST"]),
        ("http://[::1", ["http://[::1"]),
        ("http://web-1/?a=b", ["http(s)://HOST"]),
        ("http://web-1/#part", ["http(s)://HOST"]),
        ("http://ada:pw-of-ada@web-1/", ["credentials", "--header @FILE"]),
        ("http://web-1\n.example/", ["web-1"]),
        ("http://web..example/", ["web..example"]),
        ("http://xn--zzzzzzzz99999/", ["xn--zzzzzzzz99999"]),
        (f"{'w' * 64}.example", ["w.example"]),
    ],
)
def test_word_that_is_no_node(run: Callable[..., Said], node: str, words: list[str]) -> None:
    said = run("check", node)
    demand_one_message(said, *words)
    assert "pw-of-ada" not in said.stderr


def test_empty_node_list(run: Callable[..., Said]) -> None:
    demand_one_message(run("check"), "no nodes", "cachecheck check web-1:8000", "cachecheck init")


@pytest.mark.parametrize(
    "nodes",
    [
        ("web-1:8000", "web-1:8000"),
        ("web-1:8000", "http://web-1:8000/cachecheck"),
        ("http://WEB-1", "http://web-1/"),
        ("a=web-1:8000", "a=web-2:8000"),
        ("a=web-1:8000", "b=web-1:8000"),
        ("http://web-1", "http://web-1:80"),
        ("https://web-1", "https://web-1:443/cachecheck/"),
    ],
)
def test_node_that_is_listed_twice(run: Callable[..., Said], nodes: tuple[str, ...]) -> None:
    demand_one_message(run("check", *nodes), "listed twice", "once")


@pytest.mark.parametrize("option", [("--canary",), ("--window", "2")])
def test_what_only_nodes_can_do(run: Callable[..., Said], option: tuple[str, ...]) -> None:
    demand_one_message(
        run("check", "redis://cache-1/0", *option), "name a node, such as web-1:8000"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[fleets.one]\nnodes = [\n", ["cachecheck.toml, line 3", "not TOML"]),
        (b"[fleets.one]\nnodes = ['web-1']\nnodes = []\n", ["cachecheck.toml, line 3"]),
        (b"[fleets.one]\n\nnode = ['web-1']\n", ["cachecheck.toml, line 3", "node"]),
        (b"[fleets.one]\nnodes = 'web-1'\n", ["cachecheck.toml, line 2", "nodes"]),
        (b"[defaults]\n# a comment\nsample = 'many'\n", ["cachecheck.toml, line 3", "sample"]),
        (b"[default]\nsample = 1\n", ["cachecheck.toml, line 1", "default"]),
        (b"redact = 'x'\n", ["cachecheck.toml, line 1", "redact"]),
        (b"\xff\xfe", ["cachecheck.toml", "UTF-8"]),
    ],
)
def test_configuration_that_cannot_be_used_is_told_by_file_and_line(
    run: Callable[..., Said], tmp_path: Path, text: bytes, words: list[str]
) -> None:
    (tmp_path / "cachecheck.toml").write_bytes(text)
    demand_one_message(run("check"), *words)


def test_configuration_that_is_not_there(run: Callable[..., Said], tmp_path: Path) -> None:
    demand_one_message(run("check", "--config", "none.toml"), "none.toml", "cannot be read")
    demand_one_message(run("check", "--config", str(tmp_path)), "cannot be read")
    demand_one_message(run("check", "--fleet", "one"), "--fleet one", "cachecheck init")


def test_fleet_that_cannot_be_chosen(run: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "cachecheck.toml").write_text(CONFIG)
    demand_one_message(run("check", "--fleet", "three"), "'three'", "one, two")
    demand_one_message(run("check"), "--fleet", "one, two")
    demand_one_message(run("check", "--fleet", "two"), "no nodes")
    demand_one_message(run("check", NODE, "--fleet", "one"), "not both")


@pytest.mark.parametrize("option", ["--select", "--ignore"])
@pytest.mark.parametrize("codes", ["X", "V999", "V001,Q", "v-1"])
def test_code_that_no_finding_has(run: Callable[..., Said], option: str, codes: str) -> None:
    demand_one_message(run("check", *NODES, option, codes), "cachecheck explain")


def test_code_that_cannot_be_explained(run: Callable[..., Said]) -> None:
    demand_one_message(run("explain", "V999"), "'V999'", "cachecheck explain")


def test_secret_that_is_missing_or_short(
    run: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("only-of-some-bytes\n")
    demand_one_message(run("check", NODE, "--secret-file", "none"), "none", "secret")
    demand_one_message(run("check", NODE, "--secret-file", "empty"), "no secret", "32 bytes")
    short = run("check", NODE, "--secret-file", "short")
    demand_one_message(short, "18 bytes", "at least 32")
    assert "only-of-some-bytes" not in short.stderr
    demand_one_message(run("check", NODE, "--keyid", "a key"), "keyid")
    monkeypatch.setenv("CACHECHECK_SECRET", "")
    demand_one_message(run("check", NODE), "no secret", "CACHECHECK_SECRET", "--secret-file")
    monkeypatch.setenv("CACHECHECK_SECRET", "too-short")
    demand_one_message(run("check", NODE), "9 bytes", "at least 32")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("user 1", ["'user 1'", "spaces", "each --key"]),
        ("user\t1", ["control characters"]),
        ("k" * 300, ["300 characters", "250"]),
        ("", ["empty"]),
        ("broken-\udcff", ["UTF-8"]),
    ],
)
def test_key_that_no_cache_takes(run: Callable[..., Said], key: str, words: list[str]) -> None:
    demand_one_message(run("check", *NODES, "--key", key), *words)


def test_keys_of_a_file_are_checked_as_well(run: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("user:1\n\nuser 2\n")
    demand_one_message(run("check", *NODES, "--keys-from", "keys"), "'user 2'", "spaces")
    demand_one_message(run("check", *NODES, "--keys-from", "none"), "none", "No such file")


@pytest.mark.parametrize(
    "header",
    [
        "no colon",
        ": value",
        "A Name: value",
        "@none",
        "Na(me): value",
        "Näme: value",
        "Name: välue",
        "Name: one\r\nOther: two",
        "Name: one\nOther: two",
        "Name: \x00",
    ],
)
def test_header_that_cannot_be_sent(run: Callable[..., Said], header: str) -> None:
    demand_one_message(run("check", *NODES, "--header", header), "header")


@pytest.mark.parametrize("name", ["", "shop example", "shop\nexample", "shöp.example", "a\x00b"])
def test_host_header_that_cannot_be_sent(run: Callable[..., Said], name: str) -> None:
    demand_one_message(run("check", *NODES, "--host-header", name), "--host-header")


def test_value_of_a_header_from_a_file_is_not_shown(
    run: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "headers").write_text("Authorization Bearer-of-mine\n")
    said = run("check", *NODES, "--header", "@headers")
    demand_one_message(said, "a line of that file")
    assert "Bearer-of-mine" not in said.stderr


@pytest.mark.parametrize("option", ["--ca-file", "--client-cert"])
def test_certificates_that_cannot_be_used(
    run: Callable[..., Said], tmp_path: Path, option: str
) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    demand_one_message(run("check", *NODES, option, "none.pem"), option, "none.pem")
    demand_one_message(run("check", *NODES, option, "cert.pem"), "cert.pem", "PEM")


def test_certificates_of_the_configuration_are_checked_as_well(
    run: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "cachecheck.toml").write_text(
        "[fleets.one]\nnodes = ['https://web-1']\nca_file = 'none.pem'\n"
    )
    demand_one_message(run("check"), "none.pem")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("report.pdf", [".json"]),
        ("report", [".json"]),
        ("no/folder/report.json", ["no such folder"]),
        ("folder.json", ["is a folder"]),
    ],
)
def test_target_that_nothing_can_be_saved_to(
    run: Callable[..., Said], tmp_path: Path, target: str, words: list[str]
) -> None:
    (tmp_path / "folder.json").mkdir()
    demand_one_message(run("check", *NODES, "--save", target), "--save", target, *words)


@pytest.mark.parametrize(
    "text", [None, "", "not JSON", "[]", "{}", json.dumps({"schema": "cachecheck.report/2"})]
)
def test_baseline_that_is_no_report(
    run: Callable[..., Said], tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "baseline.json").write_text(text)
    demand_one_message(run("check", *NODES, "--baseline", "baseline.json"), "baseline.json")


@pytest.mark.parametrize(
    ("option", "number"),
    [
        ("--sample", "-1"),
        ("--sample", "100001"),
        ("--max-scan", "0"),
        ("--ttl-tolerance", "-1"),
        ("--ttl-tolerance", "inf"),
        ("--settle", "-1"),
        ("--settle", "nan"),
        ("--max-findings", "0"),
        ("--timeout", "0"),
        ("--timeout", "nan"),
        ("--deadline", "0"),
        ("--deadline", "nan"),
        ("--deadline", "inf"),
        ("--concurrency", "0"),
        ("--concurrency", "5000"),
        ("--rate", "0"),
        ("--rate", "nan"),
        ("--rollout-grace", "-1"),
        ("--require-coverage", "101"),
        ("--require-coverage", "nan"),
    ],
)
def test_number_that_cannot_be_meant(run: Callable[..., Said], option: str, number: str) -> None:
    demand_one_message(run("check", *NODES, option, number), option, "must be", number)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sample", "many"),
        ("--settle", "soon"),
        ("--fail-on", "fatal"),
        ("--format", "pdf"),
        ("--nonsense",),
        ("--sample",),
    ],
)
def test_option_that_is_not_understood(
    run: Callable[..., Said], arguments: tuple[str, ...]
) -> None:
    demand_usage_error(run("check", *NODES, *arguments), arguments[0])


def test_command_that_is_not_there(run: Callable[..., Said]) -> None:
    demand_usage_error(run("compare"), "compare")


def test_settle_that_leaves_no_time(run: Callable[..., Said]) -> None:
    arguments = ("--settle", "50", "--deadline", "50")
    demand_one_message(run("check", *NODES, *arguments), "--settle 50", "raise --deadline")


def test_glob_that_is_too_long(run: Callable[..., Said]) -> None:
    demand_one_message(run("check", *NODES, "--match", "x" * 501), "--match", "500")


def test_default_of_the_configuration_is_checked_as_well(
    run: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "cachecheck.toml").write_text(CONFIG + "[defaults]\nsample = -1\n")
    demand_one_message(run("check", "--fleet", "one"), "sample must be")
    (tmp_path / "cachecheck.toml").write_text(CONFIG + "[defaults]\nfail_on = 'fatal'\n")
    demand_one_message(run("check", "--fleet", "one"), "fail_on")
    (tmp_path / "cachecheck.toml").write_text(CONFIG + "[defaults]\nselect = ['V999']\n")
    demand_one_message(run("check", "--fleet", "one"), "V999")


@pytest.mark.parametrize("arguments", [(), ("ftp://web-1",), (NODE, "--timeout", "0")])
def test_other_command_refuses_as_well(
    run: Callable[..., Said], arguments: tuple[str, ...]
) -> None:
    demand_one_message(run("nodes", *arguments))


def test_file_that_is_there_already_is_not_overwritten(
    run: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "cachecheck.toml").write_text("mine")
    demand_one_message(run("init"), "cachecheck.toml", "there already")
    demand_one_message(run("init", "no/folder/file.toml"), "no/folder/file.toml")
    assert (tmp_path / "cachecheck.toml").read_text() == "mine"


def test_alias_that_no_node_has(
    start_node: Callable[..., Node], run_cli: Callable[..., Finished]
) -> None:
    caches = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    node = start_node(name="web-1", caches=caches, workers=1)
    said = run_cli("check", node.address, "--cache", "other", "--cache", "default")
    demand_one_message(said, "'other'", "there are default")


def test_a_report_is_not_saved_through_a_link_that_somebody_put_there(
    run: Callable[..., Said], tmp_path: Path
) -> None:
    others = tmp_path / "others.txt"
    others.write_text("theirs")
    (tmp_path / f".r.json.{os.getpid()}").symlink_to(others)
    said = run("check", "http://127.0.0.1:1", "--key", "k", "--save", "r.json", "--timeout", "1")
    assert said.exit_code == 3
    assert others.read_text() == "theirs"
    assert '"schema"' in (tmp_path / "r.json").read_text()
