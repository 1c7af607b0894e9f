"""``topograph study ...``: run, watch, retry, measure and export a study."""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.cli.arguments import n_bytes, words
from analysis.cli.printing import say, write_table, writing
from analysis.cli.publishing import add_publishing_commands
from topograph.errors import InvalidParameterError, TrainingError
from topograph.files import check_output

if TYPE_CHECKING:
    from trainers.study.runner import StudySummary

TABLES = ("frame", "runs", "metrics", "curves")


def add_study_commands(study: argparse.ArgumentParser) -> None:
    """Describe the actions of ``topograph study`` to its parser."""
    actions = study.add_subparsers(title="actions", required=True, metavar="ACTION")

    def action(name: str, function: object, summary: str, more: str, example: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=summary, description=f"{summary}. {more}", epilog=f"example:\n  {example}")
        sub.set_defaults(run=function)
        sub.add_argument("--format", choices=["table", "json"], default="table", help="(default: %(default)s)")
        return sub

    sub = action(
        "run",
        _run,
        "Run what a study still lacks",
        "Stop it at any time: finished networks are kept, and the same command continues. Exits with 1 if all fail.",
        "topograph study run studies/digits.toml --store digits.sqlite",
    )
    sub.add_argument("spec", type=Path, help="a TOML file")
    sub.add_argument("--store", type=Path, help="the SQLite file of the results (default: NAME.sqlite here)")
    sub.add_argument("--retry-failed", action="store_true", help="try failed runs again")
    sub.add_argument("--dry-run", action="store_true", help="only forecast the number of networks and the time")
    _add_execution(sub)
    sub.add_argument("--keep-weights", action="store_true", help="keep the trained weights in the store as well")

    sub = action(
        "status", _status, "Show where a study stands", "It may be running.", "topograph study status digits.sqlite"
    )
    sub.add_argument("store", type=Path)

    sub = action(
        "retry",
        _retry,
        "Try again what failed",
        "Pending runs are run as well. The store knows its runs, so the spec is not needed.",
        "topograph study retry digits.sqlite --timeout 600",
    )
    sub.add_argument("store", type=Path)
    _add_execution(sub)

    sub = action(
        "measure",
        _measure,
        "Compute more metrics of a study's topologies",
        "Nothing is trained.",
        "topograph study measure digits.sqlite --metrics paths,motifs",
    )
    sub.add_argument("store", type=Path)
    sub.add_argument("--metrics", required=True, type=words, help="names or groups, see: topograph list metrics")
    _add_execution(sub)

    sub = action(
        "export",
        _export,
        "Write a study's results as a table",
        "One row per finished run with the metrics of its topology, unless --table says otherwise.",
        "topograph study export digits.sqlite --out digits.csv",
    )
    sub.add_argument("store", type=Path)
    sub.add_argument("--out", required=True, type=Path, help="the .parquet or .csv file to write")
    sub.add_argument(
        "--table",
        choices=TABLES,
        default="frame",
        help="frame: finished runs with metrics; runs: all runs with status and reasons; metrics: one row per "
        "topology, layer and metric; curves: one row per run and epoch (default: %(default)s)",
    )
    add_publishing_commands(action)


def _add_execution(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--workers", type=int, help="processes on this machine (default: one per core)")
    sub.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler instead, such as tcp://127.0.0.1:8786")
    sub.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="stop runs that take longer; they count as failed"
    )
    sub.add_argument(
        "--memory", type=n_bytes, metavar="SIZE", help="stop runs that need more memory (Linux), such as 4G"
    )
    sub.add_argument("--quiet", action="store_true", help="show no progress bar (there is none without a terminal)")


def _execution(options: argparse.Namespace) -> dict[str, Any]:
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
        **_execution(options),
    )
    _report(options, summary)


def _retry(options: argparse.Namespace) -> None:
    from trainers.study import retry_study

    _report(options, retry_study(options.store, **_execution(options)))


def _report(options: argparse.Namespace, summary: StudySummary) -> None:
    """Say what was done, and refuse to call it a success when no run of the study is."""
    from trainers.study import Store

    say(options, str(summary), asdict(summary))
    if summary.planned and not summary.done:
        reason = Store(summary.store).failures()[0][0].splitlines()[0]
        raise TrainingError(f"all {summary.planned} networks failed; the most frequent reason: {reason}")


def _measure(options: argparse.Namespace) -> None:
    from trainers.study import measure_study

    count = measure_study(options.store, options.metrics, **_execution(options))
    say(options, f"{count} topologies measured", {"topologies": count})


def _status(options: argparse.Namespace) -> None:
    from trainers.study.engine import duration
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
            f"process {writer['pid']} on {writer['machine']} was stopped in the middle; run the same command again to "
            "continue"
        )
        record["writer"] = None
    elif writer and counts["pending"]:
        pace, left = store.pace()
        line = f"process {writer['pid']} on {writer['machine']} has been running for "
        line += duration(time.time() - writer["since"])
        if not math.isnan(pace):
            line += f": {pace:,.0f} networks/h, {duration(3600 * left)} left"
        lines.append(line)
        record |= {"networks_per_hour": pace, "hours_left": left}
    lines += [f"  failed {count}×: {reason.splitlines()[0]}" for reason, count in failures[:10]]
    say(options, "\n".join(lines), record)


def _alive(writer: dict[str, Any]) -> bool:
    """Whether the process that is noted as the writer exists; a process on another machine is assumed to."""
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
    check_output(options.out, [options.store])  # before the work, and again when it is written
    table = _tables(options.store, options.table)
    with writing(options.out, [options.store]) as file:
        write_table(table, file, ending)
    say(options, f"{len(table)} rows written to {options.out}", {"rows": len(table), "path": options.out})


def _tables(path: Path, name: str) -> pd.DataFrame:
    from analysis.frame import load_frame, load_learning_curves
    from trainers.study.store import open_store

    if name == "runs":
        return open_store(path).runs()
    if name == "metrics":
        return open_store(path).metrics()
    return load_learning_curves(path) if name == "curves" else load_frame(path)
