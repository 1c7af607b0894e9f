"""What ``topograph list``, ``build``, ``measure``, ``train`` and ``report`` do."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd

import topograph as tg
from analysis.cli.arguments import one_or_each, setting
from analysis.cli.printing import (
    columns,
    layers_down,
    plain,
    printable,
    printable_table,
    say,
    unwritable_said,
    write_table,
    writing,
)
from topograph.errors import InvalidParameterError
from topograph.files import check_output

if TYPE_CHECKING:
    from trainers.models import ModelSpec

_CATALOGUE = ("metric", "group", "range", "direction", "cost", "needs", "summary")


def list_names(options: argparse.Namespace) -> None:
    """``topograph list``."""
    if options.what == "constructions":
        from topograph.constructions import describe_constructions

        table = describe_constructions()
        lines = []
        for name, row in table.iterrows():
            lines.append(f"{name}\n    {row['summary']}")
            said = ("parameters", "guarantees", "connected", "reference")
            lines += [f"    {key}: {row[key]}" for key in said if row[key]]
        say(options, "\n".join(lines), table.reset_index())
    elif options.what == "metrics":
        from topograph.metrics import describe_metrics

        table = describe_metrics().reset_index()
        rows = list(table[list(_CATALOGUE)].itertuples(index=False, name=None))
        say(options, columns(("metric", "group", "range", "direction", "cost", "needs", "summary"), rows), table)
    elif options.what == "models":
        from trainers.models import describe_models

        models = describe_models().reset_index()
        lines = []
        for row in models.itertuples(index=False):
            lines.append(f"{row.model}  ({row.framework})\n    {row.summary}")
            lines += [f"    options: {row.options}", f"    reference: {row.reference}"]
        say(options, "\n".join(lines), models)
    elif options.what == "trainers":
        from trainers import describe_trainers

        reasons = describe_trainers()["reason"]
        text = "\n".join(f"{name}  ({reason})" if reason else str(name) for name, reason in reasons.items())
        say(options, text, [{"trainer": name, "reason": reason} for name, reason in reasons.items()])
    else:
        from trainers.datasets import available_datasets

        say(options, "\n".join(available_datasets()), [{"dataset": name} for name in available_datasets()])


def build(options: argparse.Namespace) -> None:
    """``topograph build``."""
    if options.model is not None:
        _build_masks(options)
        return
    topology = tg.Topology.build(
        options.construction,
        options.sizes,
        one_or_each(options.degrees),
        densities=one_or_each(options.densities),
        edges=options.edges,
        density=options.density,
        sparsity=options.sparsity,
        allocation=options.allocation,
        seed=options.seed,
        **dict(setting(text) for text in options.set),
    )
    with unwritable_said(options.out):
        path = topology.save(options.out)
    lines = [f"{topology!r} written to {path}"]
    lines += [f"  layer {number}: {graph!r}" for number, graph in enumerate(topology, start=1)]
    layers = [{"n_left": g.n_left, "n_right": g.n_right, "n_edges": g.n_edges, "density": g.density} for g in topology]
    record = {"path": path, "topology_id": topology.content_hash, "sizes": topology.sizes, "layers": layers}
    say(options, "\n".join(lines), record)


def _build_masks(options: argparse.Namespace) -> None:
    """Masks for a model, sized for a data set."""
    from trainers import load_dataset

    if options.degrees is not None:
        raise InvalidParameterError("--degrees is for --sizes: give --density, --densities, --edges or --set degree=…")
    spec = _model(options)
    given: dict[str, Any] = dict(setting(text) for text in options.set)
    masks = tg.MaskSet.build(
        spec.build(load_dataset(options.dataset)),
        options.construction,
        densities=one_or_each(options.densities),
        edges=options.edges,
        density=options.density,
        sparsity=options.sparsity,
        allocation=options.allocation,
        seed=options.seed,
        **given,
    )
    with unwritable_said(options.out):
        path = masks.save(options.out)
    lines = [f"masks for {spec.label} written to {path}", *(f"  {name}: {graph!r}" for name, graph in masks.items())]
    layers = [
        {"layer": name, "n_left": g.n_left, "n_right": g.n_right, "n_edges": g.n_edges, "density": g.density}
        for name, g in masks.items()
    ]
    say(options, "\n".join(lines), {"path": path, "model": spec.to_record(), "layers": layers})


def _model(options: argparse.Namespace) -> ModelSpec:
    from trainers import ModelSpec

    return ModelSpec(options.model, tuple(setting(text, "--model-set") for text in options.model_set))


def measure(options: argparse.Namespace) -> None:
    """``topograph measure``."""
    if options.out is not None:
        check_output(options.out, options.files)  # before the work, and again when it is written
    tables = []
    left_out: dict[str, str] = {}
    for file in options.files:
        table = tg.measure(file, options.metrics, long=options.long, **_reading(options))
        start = f"{file}:" if len(options.files) > 1 else ""
        left_out |= {printable(start + name): printable(why) for name, why in table.attrs["left_out"].items()}
        table = table if options.long else table.reset_index()
        table.insert(0, "file", str(file))
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if options.format == "parquet":
        if options.out is None:
            raise InvalidParameterError("--format parquet writes a file: name it with --out FILE")
        with writing(options.out, options.files) as file:
            write_table(table, file, ".parquet")
        return
    table = printable_table(table)
    if options.format == "csv":
        text = table.to_csv(index=False)
    elif options.format == "json":
        text = table.to_json(orient="records", indent=1) + "\n"
    else:
        text = (
            str(table.to_string(index=False, na_rep="")) + "\n"
            if options.long
            else _for_people(table, left_out, options)
        )
    if options.out is None:
        print(text, end="")
    else:
        with writing(options.out, options.files) as file:
            file.write(text.encode("utf-8", "backslashreplace"))


def _for_people(table: pd.DataFrame, left_out: dict[str, str], options: argparse.Namespace) -> str:
    """The table as wide as the terminal, in colour only there."""
    in_terminal = options.out is None and sys.stdout.isatty()
    width = shutil.get_terminal_size((100, 24)).columns
    colour = in_terminal and not os.environ.get("NO_COLOR")
    return layers_down(table, left_out, list_left_out=options.left_out, width=width, colour=colour)


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """What was said about how to read the file; what was not is left to its defaults."""
    names = ("threshold", "density", "sparsity", "scope", "unfold", "include", "exclude", "orientation")
    said = {name: getattr(options, name) for name in names} | {"geometry": options.image_size}
    return {name: value for name, value in said.items() if value is not None}


def train(options: argparse.Namespace) -> None:
    """``topograph train``."""
    from trainers import ModelTrainer, TrainingConfig, get_trainer, load_dataset

    config = TrainingConfig.from_record(dict(setting(text) for text in options.set))
    if options.model is None:
        trainer = get_trainer(options.trainer or "numpy")
        result = trainer.train(tg.Topology.load(options.topology), load_dataset(options.dataset), config)
    else:
        spec = _model(options)
        chosen: Any = get_trainer(options.trainer or {"keras": "keras"}.get(spec.framework, "pytorch"))
        if not isinstance(chosen, ModelTrainer):
            raise InvalidParameterError(
                f"the trainer {chosen.name!r} trains chains only: leave out --trainer, or name pytorch or keras"
            )
        result = chosen.train_model(spec, tg.load(options.topology), load_dataset(options.dataset), config)
    say(options, repr(result), result.to_record())


def _named(outcome: str | None) -> dict[str, str]:
    return {} if outcome is None else {"outcome": outcome}


def report(options: argparse.Namespace) -> None:
    """``topograph report``."""
    import analysis

    path = options.out or options.store.with_suffix(".html")
    check_output(path, [options.store])
    renamed = dict(setting(text, "--columns") for text in options.columns)
    frame = analysis.load_frame(
        options.store, {theirs: str(ours) for theirs, ours in renamed.items()} or None, **_named(options.outcome)
    )
    with unwritable_said(path):
        result = analysis.report(
            frame,
            path,
            metrics=options.metrics,
            outcome=options.outcome,
            control=options.control,
            cells=options.cells,
            figures=options.figures,
        )
    lines = [str(result), f"Report: {result.path.resolve()}"]
    if result.figures:
        lines.append(f"Figures and tables: {len(result.figures)} files in {options.figures.resolve()}")
    record = {
        "report": result.path.resolve(),
        "answer": result.answer.sentences,
        "clearest": result.answer.clearest,
        "figures": [path.resolve() for path in result.figures],
        "effects": result.effects,
        "verdicts": result.verdicts,
        "correlations": result.correlations,
    }
    say(options, "\n".join(lines), plain(record))


def reanalyse(options: argparse.Namespace) -> None:
    """``topograph reanalyse``."""
    import analysis

    found = analysis.reanalyse(options.name, options.file)
    record = {
        "recipe": found.recipe.name,
        "source": found.recipe.source,
        "rows": found.n,
        "verdicts": found.verdicts,
        "effects": {metric: str(effect) for metric, effect in found.effects.items()},
        "correlations": found.correlations,
        "per_cell": None if found.per_cell is None else found.per_cell.means.reset_index(),
    }
    say(options, str(found), plain(record))
