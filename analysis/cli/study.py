"""``topograph study ...``: run a study, see where it stands, try again what failed, measure more, take it elsewhere."""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.cli.arguments import n_bytes, words
from analysis.cli.printing import say, writing
from analysis.cli.publishing import add_publishing_commands
from topograph.errors import InvalidParameterError

TABLES = ("frame", "runs", "metrics", "curves")


def add_study_commands(study: argparse.ArgumentParser) -> None:
    """Describe the actions of ``topograph study`` to its parser."""
    actions = study.add_subparsers(title="actions", required=True, metavar="ACTION")

    def action(name: str, function: object, what: str, more: str, example: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=what, description=f"{what}. {more}", epilog=f"example:\n  {example}")
        sub.set_defaults(run=function)
        sub.add_argument("--format", choices=["table", "json"], default="table", help="(default: %(default)s)")
        return sub

    sub = action(
        "run",
        _run,
        "Run what a study still lacks",
        "Stop it at any time: what is finished is kept, and the same command goes on.",
        "topograph study run studies/digits.toml --store digits.sqlite",
    )
    sub.add_argument("spec", type=Path, help="a TOML file")
    sub.add_argument("--store", type=Path, help="the SQLite file of the results (default: NAME.sqlite here)")
    sub.add_argument("--retry-failed", action="store_true", help="try runs again that failed before")
    sub.add_argument("--dry-run", action="store_true", help="say what would be run, and how long it would take")
    _add_means(sub)
    sub.add_argument("--keep-weights", action="store_true", help="keep the trained weights in the store, too")

    sub = action(
        "status", _status, "Show where a study stands", "Also while it runs.", "topograph study status digits.sqlite"
    )
    sub.add_argument("store", type=Path)

    sub = action(
        "retry",
        _retry,
        "Try again what failed",
        "And run what is pending; the store knows its runs, the spec is not needed.",
        "topograph study retry digits.sqlite --timeout 600",
    )
    sub.add_argument("store", type=Path)
    _add_means(sub)

    sub = action(
        "measure",
        _measure,
        "Compute more metrics of a study's topologies",
        "Nothing is trained.",
        "topograph study measure digits.sqlite --metrics paths,motifs",
    )
    sub.add_argument("store", type=Path)
    sub.add_argument("--metrics", required=True, type=words, help="names or groups, see: topograph list metrics")
    _add_means(sub)

    sub = action(
        "export",
        _export,
        "Write a study's results as a table",
        "One row a finished run with the metrics of its topology, unless --table says otherwise.",
        "topograph study export digits.sqlite --out digits.csv",
    )
    sub.add_argument("store", type=Path)
    sub.add_argument("--out", required=True, type=Path, help="the .parquet or .csv file to write")
    sub.add_argument(
        "--table",
        choices=TABLES,
        default="frame",
        help="frame: finished runs with metrics; runs: all runs with status and reasons; metrics: one row a topology, "
        "layer and metric; curves: one row a run and epoch (default: %(default)s)",
    )
    add_publishing_commands(action)


def _add_means(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--workers", type=int, help="processes on this machine (default: one a core)")
    sub.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler instead, such as tcp://127.0.0.1:8786")
    sub.add_argument("--timeout", type=float, metavar="SECONDS", help="a run that takes longer is stopped, and failed")
    sub.add_argument("--memory", type=n_bytes, metavar="SIZE", help="likewise one that takes more, such as 4G (Linux)")
    sub.add_argument("--quiet", action="store_true", help="no progress bar; without a terminal there is none anyway")


def _means(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "workers": options.workers,
        "cluster": options.cluster,
        "timeout": options.timeout,
        "memory": options.memory,
        "progress": False if options.quiet else None,
    }


def _run(options: argparse.Namespace) -> None:
    if options.dry_run:
        from trainers.study.forecast import forecast_study

        forecast = forecast_study(options.spec, options.store, workers=options.workers)
        say(options, str(forecast), asdict(forecast))
        return
    from trainers.study import run_study

    summary = run_study(
        options.spec,
        options.store,
        retry_failed=options.retry_failed,
        keep_weights=options.keep_weights,
        **_means(options),
    )
    say(options, str(summary), asdict(summary))


def _retry(options: argparse.Namespace) -> None:
    from trainers.study import retry_study

    summary = retry_study(options.store, **_means(options))
    say(options, str(summary), asdict(summary))


def _measure(options: argparse.Namespace) -> None:
    from trainers.study import measure_study

    count = measure_study(options.store, options.metrics, **_means(options))
    say(options, f"{count} topologies measured", {"topologies": count})


def _status(options: argparse.Namespace) -> None:
    from trainers.study.engine.progress import duration
    from trainers.study.store import open_store

    store = open_store(options.store)
    table, counts, failures = store.overview(), store.counts(), store.failures()
    for column in ("variant", "architecture"):
        if table[column].nunique() < 2:
            table = table.drop(columns=column)
    lines = [table.to_string(index=False, float_format="{:.4f}".format, na_rep="")] if len(table) else []
    lines.append(", ".join(f"{counts[status]} {status}" for status in ("done", "pending", "failed")))
    writer = store.meta().get("writer")
    record = {"counts": counts, "table": table, "failures": dict(failures), "writer": writer}
    if writer and counts["pending"] and not _alive(writer):
        lines.append(
            f"process {writer['pid']} on {writer['machine']} was stopped in the middle; study run goes on from there"
        )
        record["writer"] = None
    elif writer and counts["pending"]:
        pace, left = store.pace()
        said = f"process {writer['pid']} on {writer['machine']} has been at it for "
        said += duration(time.time() - writer["since"])
        if not math.isnan(pace):
            said += f": {pace:,.0f} networks/h, {duration(3600 * left)} left"
        lines.append(said)
        record |= {"networks_per_hour": pace, "hours_left": left}
    lines += [f"  failed {count}×: {reason.splitlines()[0]}" for reason, count in failures[:10]]
    say(options, "\n".join(lines), record)


def _alive(writer: dict[str, Any]) -> bool:
    """Whether the process that noted itself as the writer is there; on another machine, it is believed."""
    if writer["machine"] != platform.node():
        return True
    try:
        os.kill(writer["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _export(options: argparse.Namespace) -> None:
    ending = options.out.suffix.lower()
    if ending not in (".parquet", ".csv"):
        raise InvalidParameterError(f"--out must end in .parquet or .csv, but got {options.out}")
    table = _tables(options.store, options.table)
    with writing(options.out):
        if ending == ".parquet":
            table.attrs = {}
            table.to_parquet(options.out, index=False)
        else:
            table.to_csv(options.out, index=False)
    say(options, f"{len(table)} rows written to {options.out}", {"rows": len(table), "path": options.out})


def _tables(path: Path, name: str) -> pd.DataFrame:
    from analysis.frame import load_frame, load_learning_curves
    from trainers.study.store import open_store

    if name == "runs":
        return open_store(path).runs()
    if name == "metrics":
        return open_store(path).metrics()
    return load_learning_curves(path) if name == "curves" else load_frame(path)
