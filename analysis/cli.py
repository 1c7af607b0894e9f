"""``topograph ...``: the command line, the only place that sees all three packages."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import topograph as tg
from analysis.study_commands import add_study_commands
from topograph.errors import StoreError, TopographError, UnknownNameError

_CATALOGUE = ("metric", "group", "range", "direction", "cost", "needs", "definition")

EXIT_OK, EXIT_ERROR, EXIT_INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it is done, 1 after an error, 2 for wrong usage, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except TopographError as error:
        print(f"topograph: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("\ntopograph: stopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader, head say, has seen enough
        sys.stderr.close()
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="topograph",
        description="Sparse network topologies as bipartite graphs: measure them, build them, train on them, and test "
        "whether the graph explains the accuracy.",
        epilog="Example: topograph measure mask.npy",
    )
    parser.add_argument("--version", action="version", version=f"topograph {tg.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function: object, words: str, example: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=words, description=f"{words}.", epilog=f"Example: {example}")
        sub.set_defaults(run=function)
        return sub

    sub = command("list", _list, "List what there is to choose from", "topograph list constructions")
    sub.add_argument("what", choices=["constructions", "metrics", "trainers", "datasets"])

    sub = command(
        "build",
        _build,
        "Build a topology and save it",
        "topograph build fibonacci_rotating --sizes 784,300,10 --degrees 30,10 --out t.npz",
    )
    sub.add_argument("construction", help="see: topograph list constructions")
    sub.add_argument("--sizes", required=True, type=_whole_numbers, help="neurons in each layer, such as 784,300,10")
    sub.add_argument("--degrees", type=_numbers, help="outputs of each input, one a layer pair or one for all")
    sub.add_argument("--densities", type=_numbers, help="instead of degrees: the share of connections wanted")
    sub.add_argument("--edges", type=int, help="instead of degrees: connections of the whole network, met exactly")
    sub.add_argument("--density", type=float, help="instead of degrees: their share of all possible ones, met exactly")
    sub.add_argument("--allocation", default="uniform", help="how layers share them (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=0, help="of what is drawn at random (default: %(default)s)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the construction")
    sub.add_argument("--out", required=True, type=Path, help="the .npz or .safetensors file to write")

    sub = command(
        "measure",
        _measure,
        "Compute graph metrics of the masks in files: NumPy, SciPy, MatrixMarket, edge lists, safetensors, PyTorch, "
        "Keras, ONNX",
        "topograph measure mask.npy model.safetensors --density 0.1 --exclude 'head.*'",
    )
    sub.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files, or folders of safetensors shards")
    sub.add_argument("--threshold", type=float, help="an edge is a weight of magnitude above this (default: not zero)")
    sub.add_argument("--density", type=float, help="edges are the largest magnitudes, this share of the weights")
    sub.add_argument("--scope", choices=["layer", "global"], help="the share of each layer, or of all (default: layer)")
    sub.add_argument("--unfold", choices=["kernel", "channel", "unrolled"], help="convolutions (default: kernel)")
    sub.add_argument("--image-size", type=_whole_numbers, help="of the inputs of convolutions, such as 32,32")
    sub.add_argument("--include", type=_words, help="only layers that match, such as 'encoder.*'")
    sub.add_argument("--exclude", type=_words, help="no layers that match")
    sub.add_argument("--orientation", choices=["in_out", "out_in"], help="against what the format says")
    sub.add_argument("--metrics", type=_words, help="metrics or groups, such as spectral,density (default: fast)")
    sub.add_argument("--format", choices=["table", "csv", "json", "parquet"], default="table", help="(default: table)")
    sub.add_argument("--long", action="store_true", help="one row a metric, with residuals and reasons")
    sub.add_argument("--out", type=Path, help="write to this file instead of the terminal (needed for parquet)")

    sub = command("train", _train, "Train one network on a topology", "topograph train t.npz --dataset digits")
    sub.add_argument("topology", type=Path, help="a file from: topograph build")
    sub.add_argument("--trainer", default="numpy", help="see: topograph list trainers (default: %(default)s)")
    sub.add_argument("--dataset", default="digits", help="see: topograph list datasets (default: %(default)s)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a training setting; repeatable")
    sub.add_argument("--format", choices=["table", "json"], default="table", help="(default: table)")

    study = commands.add_parser("study", help="Run a study, see where it stands, take its results elsewhere")
    add_study_commands(study)

    sub = command("report", _report, "Analyse a study and write a report", "topograph report digits.sqlite")
    sub.add_argument("store", type=Path, help="a store from: topograph study run")
    sub.add_argument("--out", type=Path, help="the HTML file to write (default: beside the store)")
    sub.add_argument("--metrics", type=_words, help="columns such as l1_normalized_gap (default: all that vary)")
    return parser


# ---------------------------------------------------------------------- the commands


def _list(options: argparse.Namespace) -> None:
    if options.what == "constructions":
        from topograph.constructions import describe_constructions

        for name, row in describe_constructions().iterrows():
            print(f"{name}\n    {row['row']}")
            for key in ("parameters", "guarantees", "connected", "reference"):
                if row[key]:
                    print(f"    {key}: {row[key]}")
    elif options.what == "metrics":
        from topograph.metrics import metric_table

        table = metric_table()
        _print_columns(
            ("metric", "group", "range", "better", "cost", "needs", "definition"),
            list(table.reset_index()[list(_CATALOGUE)].itertuples(index=False, name=None)),
        )
    elif options.what == "trainers":
        from trainers import describe_trainers

        for name, missing in describe_trainers().items():
            print(f"{name}  ({missing})" if missing else name)
    else:
        from trainers.datasets import available_datasets

        print("\n".join(available_datasets()))


def _build(options: argparse.Namespace) -> None:
    topology = tg.Topology.build(
        options.construction,
        options.sizes,
        _one_or_each(options.degrees),
        densities=_one_or_each(options.densities),
        edges=options.edges,
        density=options.density,
        allocation=options.allocation,
        seed=options.seed,
        **dict(_setting(text) for text in options.set),
    )
    try:
        path = topology.save(options.out)
    except OSError as error:
        raise StoreError(f"cannot write {options.out}: {error}") from error
    print(f"{topology!r} written to {path}")
    for number, graph in enumerate(topology, start=1):
        print(f"  layer {number}: {graph!r}")


def _measure(options: argparse.Namespace) -> None:
    tables = []
    for file in options.files:
        table = tg.measure(file, options.metrics, long=options.long, **_reading(options))
        table = table if options.long else table.reset_index()
        table.insert(0, "file", str(file))
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if options.format == "parquet":
        if options.out is None:
            raise UnknownNameError("--format parquet needs --out FILE")
        table.to_parquet(options.out, index=False)
        return
    if options.format == "csv":
        text = table.to_csv(index=False)
    elif options.format == "json":
        text = table.to_json(orient="records", indent=1) + "\n"
    else:
        text = _readable(table, options.long)
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """What was said about how to read the file; what was not is left to its defaults."""
    names = ("threshold", "density", "scope", "unfold", "include", "exclude", "orientation")
    said = {name: getattr(options, name) for name in names} | {"geometry": options.image_size}
    return {name: value for name, value in said.items() if value is not None}


def _train(options: argparse.Namespace) -> None:
    from trainers import TrainingConfig, get_trainer, load_dataset

    topology = tg.Topology.load(options.topology)
    config = TrainingConfig.from_record(dict(_setting(text) for text in options.set))
    result = get_trainer(options.trainer).train(topology, load_dataset(options.dataset), config)
    print(json.dumps(result.to_record(), indent=1) if options.format == "json" else repr(result))


def _report(options: argparse.Namespace) -> None:
    import analysis

    frame = analysis.load_frame(options.store)
    outcome = analysis.report(frame, options.out or options.store.with_suffix(".html"), metrics=options.metrics)
    print(outcome)
    if frame["variant"].nunique() > 1:
        print(f"\n{analysis.experiment(frame)}")
    if outcome.comparison is not None:
        print(f"\nDensity only against density and connectivity:\n{outcome.comparison!r}")
    print(f"\nReport: {outcome.path.resolve()}")


# ---------------------------------------------------------------------- reading and printing


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[float]:
    return [float(word) for word in _words(text)]


def _whole_numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


def _one_or_each(values: list[float] | None) -> list[float] | float | None:
    return values[0] if values is not None and len(values) == 1 else values


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UnknownNameError(f"--set takes NAME=VALUE, such as epochs=10, but got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _readable(table: pd.DataFrame, long: bool) -> str:
    """A table for the terminal: metrics down, layers across, reasons below."""
    if long:
        return str(table.to_string(index=False, na_rep="")) + "\n"
    several = table["file"].nunique() > 1
    names = [f"{file}:{layer}" if several else layer for file, layer in zip(table["file"], table["layer"], strict=True)]
    numbers = table.drop(columns=["file", "layer", "reason", "read_as"], errors="ignore")
    cells = {name: [_number(v) for v in numbers.iloc[i]] for i, name in enumerate(names)}
    text: str = pd.DataFrame(cells, index=numbers.columns).to_string() + "\n"
    for name, reason in zip(names, table["reason"], strict=True):
        if reason:
            text += f"{name}: undefined: {reason}\n"
    for name, words in zip(names, table.get("read_as", [""] * len(names)), strict=True):
        if isinstance(words, str) and words:
            text += f"{name}: read as {words}\n"
    return text


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.0f}" if float(value).is_integer() else f"{value:.6g}"


def _print_columns(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
