"""The typer application: which commands there are. Each lives in a file of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from cachecheck import __version__
from cachecheck.cli.canary import canary
from cachecheck.cli.check import check
from cachecheck.cli.demo import demo
from cachecheck.cli.explain import explain
from cachecheck.cli.help import Command
from cachecheck.cli.init import init
from cachecheck.cli.key import key
from cachecheck.cli.nodes import nodes

app = typer.Typer(
    name="cachecheck",
    help="Compare the caches of a Django fleet, over every worker of every node.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"cachecheck {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version_asked: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Compare the caches of a Django fleet, over every worker of every node."""


for _command in (check, nodes, key, canary, explain, init, demo):
    app.command(cls=Command)(_command)
