"""From a configuration and words on the command line to nodes, secrets and options."""

from pathlib import Path

import pytest

from cachecheck.cli import wiring
from cachecheck.coordinator import config as configuration
from cachecheck.coordinator.fleet import Transport, parse_node, parse_nodes
from cachecheck.coordinator.options import Options
from cachecheck.errors import ConfigError, UsageError

SECRET = "a-test-secret-of-forty-characters-000001"
PLAIN = Transport()


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CACHECHECK_SECRET", SECRET)


@pytest.mark.parametrize(
    ("word", "name", "url"),
    [
        ("web-1:8000", "web-1:8000", "http://web-1:8000/cachecheck/"),
        ("web-1", "web-1", "http://web-1/cachecheck/"),
        ("10.0.0.7:80", "10.0.0.7", "http://10.0.0.7/cachecheck/"),
        ("[::1]:8000", "[::1]:8000", "http://[::1]:8000/cachecheck/"),
        ("[fe80::1]", "[fe80::1]", "http://[fe80::1]/cachecheck/"),
        ("http://web-1", "web-1", "http://web-1/cachecheck/"),
        ("https://web-1/", "web-1", "https://web-1/cachecheck/"),
        ("https://web-1:443", "web-1", "https://web-1/cachecheck/"),
        ("https://web-1:80", "web-1:80", "https://web-1:80/cachecheck/"),
        ("HTTP://WEB-1:8000", "web-1:8000", "http://web-1:8000/cachecheck/"),
        (
            "http://[2001:DB8::1]:8000/probes",
            "[2001:db8::1]:8000",
            "http://[2001:db8::1]:8000/probes/",
        ),
        ("https://web-1/internal/probes/", "web-1", "https://web-1/internal/probes/"),
        ("blue=web-1:8000", "blue", "http://web-1:8000/cachecheck/"),
        ("blue=https://web-1/x", "blue", "https://web-1/x/"),
        ("http://web-1/a=b", "web-1", "http://web-1/a=b/"),
        ("http://bücher.de", "xn--bcher-kva.de", "http://xn--bcher-kva.de/cachecheck/"),
        ("  web-1:8000 ", "web-1:8000", "http://web-1:8000/cachecheck/"),
    ],
)
def test_word_names_a_node(word: str, name: str, url: str) -> None:
    node = parse_node(word, PLAIN)
    assert (node.name, node.url, node.probe_url) == (name, url, f"{url}probe")


def test_nodes_keep_their_order() -> None:
    assert [node.name for node in parse_nodes(("b", "a", "c"), PLAIN)] == ["b", "a", "c"]


def test_fleet_of_more_nodes_than_one_run_can_take_is_refused() -> None:
    with pytest.raises(UsageError, match="10001 nodes"):
        parse_nodes([f"web-{number}" for number in range(10_001)], PLAIN)


FLEET = """\
redact = ["user:*"]

[fleets.shop]
nodes = ["web-1:8000", { url = "https://10.0.0.2", name = "two", host_header = "two.example" }]
host_header = "shop.example"
headers = { X-Forwarded-Proto = "https", X-Which = "fleet" }
secret_file = "shop-secret"
keyid = "2026"

[[fleets.other.nodes]]
url = "http://web-3"
secret_file = "own-secret"
headers = { X-Which = "node" }

[defaults]
sample = 7
settle = 1.5
cache = ["default"]
select = ["v", "N001"]
"""


@pytest.fixture
def config(tmp_path: Path) -> configuration.Config:
    (tmp_path / "cachecheck.toml").write_text(FLEET)
    (tmp_path / "shop-secret").write_text("the-secret-of-the-shop-of-32-bytes-or-more\n")
    (tmp_path / "own-secret").write_text("the-secret-of-web-3-alone-of-32-bytes-or-more\n")
    return configuration.load(tmp_path / "cachecheck.toml")


def test_node_has_what_its_fleet_says_unless_it_says_otherwise(
    config: configuration.Config,
) -> None:
    (first, _), (second, _) = configuration.nodes_of(config.fleets["shop"], PLAIN)
    assert (first.name, first.transport.host_header) == ("web-1:8000", "shop.example")
    assert (second.name, second.transport.host_header) == ("two", "two.example")
    assert dict(second.transport.headers) == {"x-forwarded-proto": "https", "x-which": "fleet"}


def test_files_are_looked_for_beside_the_configuration_that_names_them(
    config: configuration.Config, tmp_path: Path
) -> None:
    """From cron the current folder is another one."""
    assert config.fleets["shop"].secret_file == str(tmp_path / "shop-secret")


def test_command_line_wins_over_node_and_fleet(
    config: configuration.Config, tmp_path: Path
) -> None:
    given = Transport(host_header="given.example", headers=(("X-Which", "given"),))
    ((_, secret_file), *_) = configuration.nodes_of(config.fleets["other"], given)
    ((node, _),) = configuration.nodes_of(config.fleets["other"], given)
    assert node.transport.host_header == "given.example"
    assert dict(node.transport.headers) == {"x-which": "given"}
    assert secret_file == str(tmp_path / "own-secret")


def test_headers_that_differ_in_case_alone_are_one(config: configuration.Config) -> None:
    given = Transport(headers=(("x-WHICH", "given"),))
    ((node, _),) = configuration.nodes_of(config.fleets["other"], given)
    assert node.transport.headers == (("x-which", "given"),)


@pytest.mark.usefixtures("config")
def test_each_node_is_signed_for_with_its_own_secret() -> None:
    shop = wiring.set_up(wiring.Who(fleet="shop"), {})
    other = wiring.set_up(wiring.Who(fleet="other"), {})
    assert [target.keyring.secrets[0].keyid for target in shop.targets] == ["2026", "2026"]
    assert shop.targets[0].keyring.secrets[0].key == b"the-secret-of-the-shop-of-32-bytes-or-more"
    assert other.targets[0].keyring.secrets[0].key.startswith(b"the-secret-of-web-3-alone")
    assert other.targets[0].keyring.secrets[0].keyid == "default"


@pytest.mark.usefixtures("config")
def test_secret_of_the_command_line_wins(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("a-secret-given-on-the-command-line-by-file")
    who = wiring.Who(fleet="other", secret_file="given", keyid="new")
    (target,) = wiring.set_up(who, {}).targets
    assert target.keyring.secrets[0].key == b"a-secret-given-on-the-command-line-by-file"
    assert target.keyring.secrets[0].keyid == "new"


@pytest.mark.usefixtures("config")
def test_defaults_hold_unless_the_command_line_says_otherwise() -> None:
    options = wiring.set_up(wiring.Who(fleet="shop"), {"settle": 3.0, "sample": None}).options
    assert (options.sample, options.settle, options.timeout) == (7, 3.0, Options().timeout)
    assert (options.caches, options.select) == (("default",), ("V", "N001"))
    assert options.redact == ("user:*",)


@pytest.mark.usefixtures("config")
def test_nodes_on_the_command_line_win_over_the_fleets() -> None:
    setup = wiring.set_up(wiring.Who(words=("web-9",)), {})
    assert [target.node.name for target in setup.targets] == ["web-9"]
    assert setup.targets[0].keyring.secrets[0].key == SECRET.encode()
    assert setup.options.sample == 7


def test_without_a_configuration_session_keys_are_redacted() -> None:
    options = wiring.set_up(wiring.Who(words=("web-9",)), {}).options
    assert options == Options(redact=("django.contrib.sessions.*",))


@pytest.mark.parametrize(
    ("given", "size"),
    [({}, 1000), ({"keys": ("k",)}, 0), ({"keys": ("k",), "sample": 5}, 5), ({"sample": 0}, 0)],
)
def test_named_keys_stand_in_for_the_sample_unless_it_is_asked_for(
    given: dict[str, object], size: int
) -> None:
    assert wiring.set_up(wiring.Who(words=("web-9",)), given).options.sample_size == size


def test_configuration_of_the_user_is_found_where_there_is_none_here(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "cachecheck"
    folder.mkdir(parents=True)
    (folder / "cachecheck.toml").write_text("[fleets.mine]\nnodes = ['web-1']\n")
    assert wiring.set_up(wiring.Who(), {}).targets[0].node.name == "web-1"
    (tmp_path / "cachecheck.toml").write_text("[fleets.here]\nnodes = ['web-2']\n")
    assert wiring.set_up(wiring.Who(), {}).targets[0].node.name == "web-2"


def test_configuration_that_names_a_node_twice_is_refused() -> None:
    fleet = configuration.parse("[fleets.a]\nnodes = ['w:1', 'http://w:1/']\n", "x").fleets["a"]
    with pytest.raises(UsageError, match="listed twice"):
        configuration.nodes_of(fleet, PLAIN)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = [\n", 2),
        ("\n\n[fleets.a]\nnode = []\n", 4),
        ("# nodes = 1\n[fleets.a]\nnodes = 1\n", 3),
        ("[fleets.a]\nnodes = [{ url = 'w', port = 1 }]\n", 2),
        ("[[fleets.a.nodes]]\nname = 'x'\n", 1),
    ],
)
def test_error_in_a_configuration_says_where(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as raised:
        configuration.parse(text, "fleets.toml")
    assert (raised.value.path, raised.value.line) == ("fleets.toml", line)
