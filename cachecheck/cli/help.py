"""Help in plain text, its options in sections.

Rich would draw boxes around them; to load it takes longer than all else that ``--help`` does
(``tests/benchmarks/bench_startup.py``).
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose help keeps the options of one ``rich_help_panel`` together."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # of click, which typer hides
        """Write a section for each panel, in the order in which they first come up."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                title = getattr(param, "rich_help_panel", None) or _kind(param)
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _kind(param: Any) -> str:
    return "Arguments" if param.param_type_name == "argument" else "Options"
