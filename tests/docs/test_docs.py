"""The documentation against the code: nothing left out, nothing that does not exist."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from cachecheck.agent import conf
from cachecheck.cli import main, output
from cachecheck.cli.app import app
from cachecheck.coordinator.options import DEFAULT_SAMPLE, Options
from cachecheck.rules.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))

CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<!\S)`?(--?[a-z][a-z-]*)")
NOT_OURS = {"--install-completion", "--show-completion"}  # typer's own, for the shell


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read(*parts: str) -> str:
    return DOCS.joinpath(*parts).read_text("utf-8")


def sections(text: str, level: int = 2) -> dict[str, str]:
    mark = "#" * level
    parts = re.split(rf"^{mark} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> Iterator[list[str]]:
    """Give the cells of every row of every table, without the head and the line below it."""
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|") and above.startswith("|") and not line.startswith("| ---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def ticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def options_of(command: Any) -> set[str]:
    return {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("-") and parameter.name != "help"
    } - NOT_OURS


def documented_options(section: str) -> set[str]:
    return {
        word.split()[0] for cells in rows(section) for word in ticked(cells[0]) if word[0] == "-"
    }


# --- the command line ----------------------------------------------------------------------


def test_every_command_has_a_section_and_no_other_has() -> None:
    headings = sections(read("reference", "cli.md"))
    described = {name.split()[1] for name in headings if name.startswith("cachecheck ")}
    assert described == set(commands())


@pytest.mark.parametrize("name", commands())
def test_every_option_is_documented_and_no_other_is(name: str) -> None:
    section = sections(read("reference", "cli.md"))[f"cachecheck {name}"]
    assert documented_options(section) == options_of(commands()[name])


def test_defaults_of_options_are_those_of_the_code() -> None:
    section = sections(read("reference", "cli.md"))["cachecheck check"]
    told = {ticked(cells[0])[0].split()[0]: cells[1].strip("`") for cells in rows(section)}
    same_name = {
        name: value
        for name, value in DEFAULTS.items()
        if isinstance(value, int | float) or name in {"match", "fail_on"}
    }
    expected = {f"--{name.replace('_', '-')}": in_words(value) for name, value in same_name.items()}
    assert {name: told[name] for name in expected} == expected
    assert told["--rate"] == "unlimited"
    assert DEFAULTS["rate"] is None


def test_options_mentioned_anywhere_exist() -> None:
    """In our own command lines: an option that went away must not live on in a how-to."""
    known = {option for command in commands().values() for option in options_of(command)}
    known |= {"--version", "--help", "-h"}
    for page in PAGES:
        for line in command_lines(page.read_text("utf-8")):
            assert set(OPTION.findall(line)) <= known, (named(page), line)


def test_commands_mentioned_anywhere_exist() -> None:
    for page in PAGES:
        for line in command_lines(page.read_text("utf-8")):
            word = line.split()[1]
            known = {*commands(), "--version", "--help", "[NODE]..."}
            assert word in known, (named(page), line)


def command_lines(text: str) -> Iterator[str]:
    """Give our own command lines, from code blocks and from text between backticks."""
    for kind, block in CODE_BLOCK.findall(text):
        if kind in {"sh", "console"}:
            joined = block.replace("\\\n", " ")
            yield from re.findall(r"(?:^|\s)(cachecheck [a-z-][^;|&#\n]*)", joined)
    plain = CODE_BLOCK.sub("", text)
    yield from (word for word in ticked(plain) if re.match(r"cachecheck [a-z-]", word))


def test_every_exit_code_is_documented() -> None:
    told = {cells[0] for cells in rows(sections(read("reference", "cli.md"))["Exit codes"])}
    known = {*output.EXIT_CODES.values(), main.EXIT_USAGE, main.EXIT_UNDECIDED}
    assert told == {str(code) for code in {*known, main.EXIT_INTERRUPTED}}
    readme = sections((ROOT / "README.md").read_text("utf-8"))["Exit codes"]
    assert {cells[0] for cells in rows(readme)} == {str(code) for code in known}


# --- settings, configuration, findings ------------------------------------------------------


DEFAULTS: dict[str, Any] = {
    **{name: getattr(Options(), name) for name in Options.__struct_fields__},
    "sample": DEFAULT_SAMPLE,
}


def in_words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.12g}" if isinstance(value, int | float) else str(value)


def test_every_setting_of_the_agent_is_documented() -> None:
    assert settings_told().keys() == conf.KNOWN


def settings_told() -> dict[str, str]:
    head = read("reference", "settings.md").partition("## ")[0]
    return {ticked(cells[0])[0]: cells[1] for cells in rows(head)}


@pytest.mark.parametrize(
    ("setting", "attribute", "unit"),
    [
        ("BUDGET_MS", "budget_seconds", 1000),
        ("VALUE_MS", "value_seconds", 1000),
        ("MAX_BODY", "max_body_bytes", 1),
        ("MAX_KEYS", "max_keys", 1),
        ("MAX_ANSWER", "max_answer_bytes", 1),
        ("MAX_AGE", "max_age_seconds", 1),
    ],
)
def test_defaults_of_limits_are_those_of_the_code(
    setting: str, attribute: str, unit: int, default_conf: conf.Conf
) -> None:
    told = int(ticked(settings_told()[setting])[0])
    assert told == getattr(default_conf, attribute) * unit


def test_other_defaults_of_settings_are_those_of_the_code(default_conf: conf.Conf) -> None:
    told = settings_told()
    assert told["ENABLED"].endswith(f"else `{default_conf.is_enabled}`")
    assert told["COUNT_HITS"] == f"`{default_conf.counts_hits}`"
    assert told["ALLOW_VALUES"] == f"`{default_conf.allows_values}`"
    assert told["ALLOW_CANARY"] == f"`{default_conf.allows_canary}`"
    assert told["SCOPES"] == f"`{default_conf.scopes}`"
    assert told["KEY_BUILDERS"] == "`{}`"
    assert default_conf.builders == ()
    assert told["WITHHOLD"] == f"`{json.dumps(list(conf.SESSION_KEYS))}`"
    for name in ("node", "release", "expected_workers"):
        assert "`None`" in told[name.upper()]
        assert getattr(default_conf, name) is None


@pytest.fixture
def default_conf(monkeypatch: pytest.MonkeyPatch) -> conf.Conf:
    for variable in (conf.SECRET_VARIABLE, conf.ENABLED_VARIABLE, conf.RELEASE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)

    class Plain:
        CACHECHECK: dict[str, Any] = {}
        CACHES: dict[str, Any] = {"default": {}}
        ROOT_URLCONF = "shop.urls"

    monkeypatch.setattr(conf, "settings", Plain)
    return conf.load()


def test_application_is_the_package_of_the_root_urlconf(default_conf: conf.Conf) -> None:
    assert default_conf.application == "shop"


def test_every_system_check_is_documented() -> None:
    source = (ROOT / "cachecheck" / "agent" / "checks.py").read_text("utf-8")
    known = set(re.findall(r'"(?:cachecheck\.)?([EWI]\d{3})"', source))
    table = sections(read("reference", "settings.md"))["System checks"]
    told = [ticked(cells[0])[0].removeprefix("cachecheck.") for cells in rows(table)]
    assert len(told) == len(set(told))
    assert set(told) == known


def test_every_finding_is_documented() -> None:
    told = re.findall(r"^### (\S+) ", read("reference", "findings.md"), re.MULTILINE)
    assert told == list(CATALOGUE)


def test_codes_mentioned_anywhere_are_codes_of_findings_or_checks() -> None:
    checks = {"E001", "E002", "E003", "I001", *(f"W00{number}" for number in range(1, 8))}
    for page in PAGES:
        mentioned = set(re.findall(r"\b[FBNVTHCEWI]\d{3}\b", page.read_text("utf-8")))
        assert mentioned <= {*CATALOGUE, *checks}, named(page)


# --- pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = CODE_BLOCK.sub("", page.read_text("utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, ahead = set[Path](), [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = LINK.findall(CODE_BLOCK.sub("", page.read_text("utf-8")))
        local = (link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link))
        ahead.extend((page.parent / link).resolve() for link in local if link)
    assert set(DOCS.rglob("*.md")) <= seen


def blocks(*kinds: str) -> list[Any]:
    return [
        pytest.param(kind, block, id=f"{named(page)}-{number}")
        for page in PAGES
        for number, (kind, block) in enumerate(CODE_BLOCK.findall(page.read_text("utf-8")))
        if kind in kinds
    ]


@pytest.mark.parametrize(("kind", "block"), blocks("toml", "python", "json"))
def test_code_can_be_parsed(kind: str, block: str) -> None:
    match kind:
        case "toml":
            tomllib.loads(block)
        case "json":
            json.loads(block)
        case _:
            compile(block, "docs", "exec")


def test_every_code_block_says_its_language() -> None:
    kinds = {kind for page in PAGES for kind, _ in CODE_BLOCK.findall(page.read_text("utf-8"))}
    assert kinds <= {"sh", "console", "text", "toml", "python", "json", "nginx"}


# What was true on somebody's machine, or is nobody's business.
_LEFTOVERS = re.compile(
    r"/home/\w|\bT[O]DO\b|\bF[I]XME\b|\bindex-url\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_pages_have_no_leftovers(page: Path) -> None:
    assert not _LEFTOVERS.findall(page.read_text("utf-8"))


def test_make_targets_mentioned_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    mentioned = set(re.findall(r"\bmake ([a-z]+)", code_of(ROOT / "README.md")))
    assert {"demo", "test"} <= mentioned <= targets


def code_of(page: Path) -> str:
    text = page.read_text("utf-8")
    in_blocks = (block for _, block in CODE_BLOCK.findall(text))
    return "\n".join([*in_blocks, *ticked(CODE_BLOCK.sub("", text))])


def test_extras_mentioned_anywhere_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for page in PAGES:
        extras = re.findall(r"django-cachecheck\[(\w+)\]", page.read_text("utf-8"))
        assert set(extras) <= project["optional-dependencies"].keys(), named(page)
