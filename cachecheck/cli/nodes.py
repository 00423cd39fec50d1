"""``cachecheck nodes``: who is there."""

from __future__ import annotations

import sys

import typer

from cachecheck.cli import output, words
from cachecheck.cli.running import run


def nodes(  # noqa: PLR0913  one argument for each option
    *,
    nodes: words.Nodes = None,
    config: words.ConfigFile = None,
    fleet: words.FleetName = None,
    secret_file: words.SecretFile = None,
    keyid: words.KeyId = None,
    host_header: words.HostHeader = None,
    header: words.Header = None,
    ca_file: words.CaFile = None,
    client_cert: words.ClientCert = None,
    cache: words.Cache = None,
    timeout: words.Timeout = None,
    deadline: words.Deadline = None,
    concurrency: words.Concurrency = None,
    format_: words.Format = "table",
    verbose: words.Verbose = False,
    no_progress: words.NoProgress = False,
    exit_zero: words.ExitZero = False,
) -> None:
    """Show who is there: workers, versions, stores, clocks.

    No entry is compared. Exit codes: 0 everybody was heard, 1 a finding on nodes (F…), 2 usage
    error, 3 not everybody was heard.
    """
    from cachecheck.cli.wiring import Who, set_up, transport_of  # noqa: PLC0415  --help stays quick

    who = Who(
        words=tuple(nodes or ()),
        config_file=str(config) if config else None,
        fleet=fleet,
        secret_file=str(secret_file) if secret_file else None,
        keyid=keyid,
        transport=transport_of(host_header, header, ca_file, client_cert),
    )
    given = {"caches": cache, "timeout": timeout, "deadline": deadline, "concurrency": concurrency}
    setup = set_up(who, {**given, "sample": 0, "keys": None, "settle": 0.0, "select": ("F",)})
    observed = run(setup, shows_progress=not no_progress, reads="witnesses")
    from cachecheck.coordinator.judge import report_of  # noqa: PLC0415  --help stays quick
    from cachecheck.reporting import json, roster  # noqa: PLC0415

    report = report_of(observed, setup.options)
    if format_ == "json":
        sys.stdout.write(json.render(report))
    else:
        width = output.terminal_width()
        sys.stdout.write(roster.render(report, width=width, is_verbose=verbose))
    raise typer.Exit(0 if exit_zero else output.EXIT_CODES[report.verdict])
