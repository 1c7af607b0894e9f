"""What is made from the code: the pages of constructions, metrics and commands, and two tables of the README.

``python docs/generated.py`` writes the README's tables anew; a test fails when they are not those of the code.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis.cli.parser import make_parser
from topograph.constructions import describe_constructions
from topograph.metrics import describe_comparisons, describe_metrics


def write_pages(folder: Path, notebooks: Path) -> None:
    """Write every generated page into the folder."""
    folder.mkdir(exist_ok=True)
    pages = {"constructions": constructions(), "metrics": metrics(), "commands": commands()}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    shutil.copytree(notebooks, folder / "notebooks", dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "*.py"))


def readme(text: str) -> str:
    """The README with its tables between ``<!-- name -->`` and ``<!-- end -->`` made anew."""
    tables = {"constructions": _construction_rows(), "metrics": _metric_groups()}
    for name, table in tables.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, times = re.subn(pattern, lambda found, t=table: f"{found[1]}\n{t}\n{found[2]}", text, flags=re.DOTALL)
        assert times == 1, f"the README has no place for the table of {name}"
    return text


def _construction_rows() -> str:
    rows = [(f"`{name}`", row["summary"]) for name, row in describe_constructions().iterrows()]
    return _markdown(("construction", "the outputs of input i (all sums modulo m)"), rows)


def _metric_groups() -> str:
    groups = describe_metrics().groupby("group", sort=False)
    rows = [(f"`{group}`", ", ".join(f"`{name}`" for name in table.index)) for group, table in groups]
    rows.append(("`compare_masks`", ", ".join(f"`{name}`" for name in describe_comparisons().index)))
    return _markdown(("group", "metrics"), rows)


def constructions() -> str:
    """One row per construction."""
    table = describe_constructions()
    rows = [
        (f"`{name}`", row["summary"], row["guarantees"], row["parameters"] or "", row["reference"])
        for name, row in table.iterrows()
    ]
    return _markdown(("construction", "the outputs of input i", "guarantees", "options", "source"), rows)


def metrics() -> str:
    """One table per group, those that compare two masks last."""
    parts = []
    for group, table in describe_metrics().groupby("group", sort=False):
        parts.append(f"## {group}\n\n{_metrics(table)}")
    parts.append(f"## comparing two masks\n\n{_metrics(describe_comparisons())}")
    return "\n\n".join(parts)


def _metrics(table: pd.DataFrame) -> str:
    rows = [
        (
            f"`{name}`",
            row["summary"] + (f" *({row['reference']})*" if row["reference"] else ""),
            f"${row['formula']}$",
            row["range"],
            row["cost"],
        )
        for name, row in table.iterrows()
    ]
    return _markdown(("metric", "definition *(source)*", "formula", "range", "cost"), rows)


def commands() -> str:
    """The help of each command, as the terminal shows it."""
    return "\n\n".join(
        f"## {parser.prog}\n\n```text\n{parser.format_help().strip()}\n```" for parser in _leaves(make_parser())
    )


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for child in dict.fromkeys(group.choices.values()):
            yield from _leaves(child)


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), "|" + "---|" * len(header), *(line(row) for row in rows)]) + "\n"


if __name__ == "__main__":
    README = Path(__file__).parents[1] / "README.md"
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
