"""Fleets that live as long as a module, and one way to check them: by the real command."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from harness.nodes import Node
from harness.process import Finished
from harness.scenarios import Check, Checked, Launch

_SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Start servers and nodes that end with the module."""
    with ExitStack() as started:
        yield Launch(tmp_path_factory.mktemp("fleet"), started)


@pytest.fixture(scope="session")
def published_schema() -> Draft202012Validator:
    """The schema of reports, as it is published."""
    return Draft202012Validator(json.loads(_SCHEMA.read_text()))


@pytest.fixture
def check(run_cli: Callable[..., Finished], published_schema: Draft202012Validator) -> Check:
    """Check a fleet by the real command, and read its report, which must fit the schema.

    It settles in half a second unless told otherwise.
    """

    def checked(fleet: Iterable[Node | str], *options: str) -> Checked:
        addresses = [node if isinstance(node, str) else node.address for node in fleet]
        brisk = ["--settle", "0.5", "--deadline", "30", "--format", "json"]
        done = run_cli("check", *addresses, *brisk, *options)
        assert done.stderr == "", done.stderr
        report = json.loads(done.stdout)
        published_schema.validate(report)
        return Checked(exit_code=done.exit_code, report=report)

    return checked
