"""What the demo tells, as text: what is there, how it is checked, what was found, how to go on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cachecheck.demo.faults import DOWN_NODE, STALE_NODE, found_as
from cachecheck.reporting.layout import Page, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cachecheck.demo.deployment import Deployment
    from cachecheck.demo.faults import Fault
    from cachecheck.model import Report

_BEGIN = """\
A small shop on four nodes, on this machine alone. Three of them start, with
{workers} gunicorn workers each and faults planted in them; the fourth is down.

"""
_NODE = "  {name}  {address:<15}  {state}\n"
_CHECK = """
Now the check, as you would type it:

{prepare}  $ cd {folder}
  $ {command}

"""
_FOUND = """
The check has ended with exit code {exit_code}, {verdict}.

{table}
"""
_KEEP = """
The nodes stay up until Ctrl-C. Things to try, in another terminal:

{prepare}  $ cd {folder}
  $ cachecheck nodes
  $ cachecheck check --settle 2
  $ cachecheck check --settle 2 --cache default --key price:42
  $ curl {front}

The file cachecheck.toml in that folder names the nodes and their secret. Say
curl again and again: one worker of {node} tells an old price.
"""
_ENDED = """
{found} of {planted} planted faults were found. Nodes and files are gone again, after {took} s.
"""
_END = """
How to go on:

{prepare}  $ cachecheck explain N001
  $ cachecheck demo --keep

For a site of your own, put three lines on each node (README.md says more)

  INSTALLED_APPS = [..., "cachecheck.agent"]
  urlpatterns = [..., path("cachecheck/", include("cachecheck.agent.urls"))]
  CACHECHECK = {{"SECRET": os.environ["CACHECHECK_SECRET"]}}

and, with the same secret in your environment, name the nodes:

  $ cachecheck check web-1:8000 web-2:8000
"""


def begin(workers: int) -> str:
    """Say what there will be."""
    return _BEGIN.format(workers=workers)


def ready(deployment: Deployment, name: str, workers: int, took_seconds: float) -> str:
    """Say that a node is ready, how long after the beginning."""
    state = f"{workers} workers, ready after {took_seconds:.1f} s"
    return _NODE.format(name=name, address=deployment.addresses[name], state=state)


def down(deployment: Deployment) -> str:
    """Say which node is down."""
    address = deployment.addresses[DOWN_NODE]
    return _NODE.format(name=DOWN_NODE, address=address, state="down")


def check(
    deployment: Deployment,
    search: Path | None,
    arguments: Iterable[tuple[str, ...]],
    width: int,
) -> str:
    """Show the exact command line of the check; ``search`` is to be added to the shell's path."""
    command = folded([("cachecheck",), *arguments], width - len("    "))
    return _CHECK.format(
        prepare=_prepare(search),
        folder=shlex.quote(str(deployment.folder)),
        command=command.replace("\n", "\n      "),
    )


def found(faults: Sequence[Fault], report: Report, exit_code: int, width: int) -> str:
    """Set what was planted beside what was found."""
    rows = [[fault.words, _found_as(fault, report)] for fault in faults]
    lines = table(["planted", "found as"], rows, Page(width=width - 2), yielding=[0])
    drawn = "\n".join(f"  {line}" for line in lines)
    return _FOUND.format(exit_code=exit_code, verdict=report.verdict, table=drawn)


def keep(deployment: Deployment, search: Path | None) -> str:
    """List what can be tried while the nodes are up."""
    return _KEEP.format(
        prepare=_prepare(search),
        folder=shlex.quote(str(deployment.folder)),
        front=deployment.addresses[STALE_NODE],
        node=STALE_NODE,
    )


def ended(planted: int, missed: int, took_seconds: float) -> str:
    """Sum up, once all is cleaned away."""
    return _ENDED.format(found=planted - missed, planted=planted, took=round(took_seconds))


def end(search: Path | None) -> str:
    """Say how to go on."""
    return _END.format(prepare=_prepare(search))


def folded(groups: Iterable[tuple[str, ...]], width: int) -> str:
    """Quote a command for the shell and fold it between its options, as the shell allows."""
    lines: list[str] = []
    for group in groups:
        text = shlex.join(group)
        if lines and len(lines[-1]) + len(text) + len("  \\") <= width:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return " \\\n".join(lines)


def _prepare(search: Path | None) -> str:
    return f"  $ export PATH={shlex.quote(str(search))}:$PATH\n" if search else ""


def _found_as(fault: Fault, report: Report) -> str:
    finding = found_as(fault, report)
    return f"{finding.code} {finding.name}" if finding else "not found"
