"""What is made from the code when the site is built: the pages of constructions, metrics and commands."""

from __future__ import annotations

import argparse
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
