"""The options of the command line, each with its words, once for all commands that have it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

_WHO = "Which nodes"
_WHAT = "What is compared"
_HOW = "How it is judged"
_LIMITS = "Limits"
_OUTPUT = "Output"

Nodes: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]...",
        help="URL, HOST:PORT, or NAME=URL of each node, or of a store such as redis://HOST/0. "
        "Without any: the fleet of the configuration.",
        show_default=False,
    ),
]
ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration; default: cachecheck.toml here, then in the user's config folder.",
        rich_help_panel=_WHO,
    ),
]
FleetName: TypeAlias = Annotated[
    str | None,
    typer.Option("--fleet", metavar="NAME", help="Which fleet of it.", rich_help_panel=_WHO),
]
SecretFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="Holds the shared secret; default: the variable CACHECHECK_SECRET.",
        rich_help_panel=_WHO,
    ),
]
KeyId: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--keyid",
        metavar="NAME",
        help="Which of the node's secrets it is; default: default.",
        rich_help_panel=_WHO,
    ),
]
HostHeader: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--host-header",
        metavar="NAME",
        help="Host to ask for (and TLS name) where nodes are addressed by IP.",
        rich_help_panel=_WHO,
    ),
]
Header: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="'K: V' | @FILE",
        help="Header to send along, such as 'X-Forwarded-Proto: https'; repeatable.",
        rich_help_panel=_WHO,
    ),
]
CaFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="Certificates to trust for https nodes.",
        rich_help_panel=_WHO,
    ),
]
ClientCert: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--client-cert",
        metavar="FILE",
        help="Own certificate and key, in one PEM file.",
        rich_help_panel=_WHO,
    ),
]
Cache: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--cache",
        metavar="ALIAS",
        help="Cache alias; repeatable; default: all.",
        rich_help_panel=_WHAT,
    ),
]
NamedKey: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="KEY", help="Key to compare by name; repeatable.", rich_help_panel=_WHAT
    ),
]
KeysFrom: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keys-from",
        metavar="FILE",
        help="Keys to compare by name, one a line.",
        rich_help_panel=_WHAT,
    ),
]
OneKey: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="The key, as the application names it.")
]
ShowValues: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--show-values",
        help="Show the values as text, from nodes that allow it (ALLOW_VALUES).",
        rich_help_panel=_WHAT,
    ),
]
Watch: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Look again and again, and show what changed, until interrupted.",
        rich_help_panel=_HOW,
    ),
]
Match: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--match",
        metavar="GLOB",
        help="Sample only keys that match; default: *.",
        rich_help_panel=_WHAT,
    ),
]
Sample: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="N",
        help="How many keys to sample; default: 1000, or none where keys are named.",
        rich_help_panel=_WHAT,
    ),
]
All: TypeAlias = Annotated[
    bool,
    typer.Option("--all", help="Compare every key, in place of a sample.", rich_help_panel=_WHAT),
]
AllowTouch: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--allow-touch",
        help="With --all: also where reading every key changes which entries are evicted next.",
        rich_help_panel=_WHAT,
    ),
]
WithCanary: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--canary",
        help="Try what caches do as well, by writing under keys of our own where nodes allow it.",
        rich_help_panel=_WHAT,
    ),
]
Resume: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        help="With --all: keep what is done in FILE, and go on from it after an interruption.",
        rich_help_panel=_WHAT,
    ),
]
MaxScan: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max-scan",
        metavar="N",
        help="Keys looked at per store to draw the sample; default: 200000.",
        rich_help_panel=_WHAT,
    ),
]
TtlTolerance: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--ttl-tolerance",
        metavar="SECONDS",
        help="How far expiries may be apart; default: 2.",
        rich_help_panel=_HOW,
    ),
]
LagTolerance: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--lag-tolerance",
        metavar="SECONDS",
        help="How late a canary's write may be seen; default: 0.5.",
        rich_help_panel=_HOW,
    ),
]
Settle: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--settle",
        metavar="SECONDS",
        help="How long a difference must persist; default: 10.",
        rich_help_panel=_HOW,
    ),
]
Window: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--window",
        metavar="SECONDS",
        help="Compare the hits of so long a time; default: since the workers' start.",
        rich_help_panel=_HOW,
    ),
]
Select: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CODES",
        help="Report only these codes or families, comma-separated.",
        rich_help_panel=_HOW,
    ),
]
Ignore: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="CODES",
        help="Leave these codes or families out.",
        rich_help_panel=_HOW,
    ),
]
FailOn: TypeAlias = Annotated[
    Literal["info", "warning", "error"] | None,
    typer.Option(
        "--fail-on",
        help="From which severity on a finding makes the run divergent; default: warning.",
        rich_help_panel=_HOW,
    ),
]
RolloutGrace: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--rollout-grace",
        metavar="SECONDS",
        help="Differences between two releases are info while the newer is younger; default: 600.",
        rich_help_panel=_HOW,
    ),
]
RequireCoverage: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--require-coverage",
        metavar="PERCENT",
        help="How many of the nodes must answer for a verdict; default: 100.",
        rich_help_panel=_HOW,
    ),
]
Baseline: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="REPORT",
        help="A JSON report: only what is new since then counts.",
        rich_help_panel=_HOW,
    ),
]
MaxFindings: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max-findings",
        metavar="N",
        help="How many findings of one code are listed; default: 1000.",
        rich_help_panel=_LIMITS,
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", help="For one probe; default: 5.", rich_help_panel=_LIMITS
    ),
]
Deadline: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        metavar="SECONDS",
        help="For the whole run; default: 50.",
        rich_help_panel=_LIMITS,
    ),
]
Concurrency: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--concurrency", metavar="N", help="Probes at once; default: 50.", rich_help_panel=_LIMITS
    ),
]
KeyRate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="KEYS/S",
        help="Keys looked at per second over all nodes; default: unlimited.",
        rich_help_panel=_LIMITS,
    ),
]
Dask: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Read stores whole on a Dask cluster, such as tcp://scheduler:8786.",
        rich_help_panel=_LIMITS,
    ),
]
Plan: TypeAlias = Annotated[
    bool,
    typer.Option("--plan", help="Show what would be read through whom, and read nothing."),
]
Format: TypeAlias = Annotated[
    Literal["table", "json"],
    typer.Option("--format", help="How the report is written.", rich_help_panel=_OUTPUT),
]
Save: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--save",
        metavar="FILE",
        help="Write the report there as well (.json); repeatable.",
        rich_help_panel=_OUTPUT,
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print nothing where all is well.", rich_help_panel=_OUTPUT),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show all there is, and a log.", rich_help_panel=_OUTPUT),
]
NoProgress: TypeAlias = Annotated[
    bool,
    typer.Option("--no-progress", help="Show no progress.", rich_help_panel=_OUTPUT),
]
ExitZero: TypeAlias = Annotated[
    bool,
    typer.Option("--exit-zero", help="Exit with 0 whatever the verdict.", rich_help_panel=_OUTPUT),
]
