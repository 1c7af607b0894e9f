"""``topograph study publish`` and ``topograph study verify``: results that travel with the code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from analysis.cli.printing import say
from topograph.errors import StoreError

Action = Callable[[str, object, str, str, str], argparse.ArgumentParser]


def add_publishing_commands(action: Action) -> None:
    """Describe ``publish`` and ``verify`` to the parser of ``topograph study``."""
    sub = action(
        "publish",
        _publish,
        "Write finished runs as a few Parquet files that can be committed",
        "What is published already stays; runs that no spec plans any longer are left out.",
        "topograph study publish studies/digits.toml --stores . --out published",
    )
    sub.add_argument("specs", type=Path, help="a TOML file, or a folder of them: the parts of the study")
    sub.add_argument("--stores", required=True, type=Path, help="the folder of the stores, NAME.sqlite each")
    sub.add_argument("--out", required=True, type=Path, help="the folder of the published files")

    sub = action(
        "verify",
        _verify,
        "Train a random sample of published runs again, and compare",
        "Equal to the bit on the same kind of processor with the same versions, within a tolerance elsewhere.",
        "topograph study verify published --sample 2",
    )
    sub.add_argument("results", help="the name of a published study, or the folder of its files")
    sub.add_argument("--sample", type=int, default=10, help="number of runs (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=0, help="seed of the draw of the sample (default: %(default)s)")


def _publish(options: argparse.Namespace) -> None:
    from trainers.study.publishing import publish_study

    summary = publish_study(options.specs, options.stores, options.out)
    say(options, str(summary), asdict(summary))


def _verify(options: argparse.Namespace) -> None:
    from analysis.published import open_study
    from trainers.study.publishing import verify_published

    found = verify_published(open_study(options.results), sample=options.sample, seed=options.seed)
    say(options, str(found), {"passed": found.passed, "runs": found.table})
    if found.failed:
        raise StoreError(f"{found.failed} of {len(found.table)} runs do not come out as they were published: see above")
    if not found.passed:
        raise StoreError("none of these runs can be compared on this kind of machine: draw others with --seed")
