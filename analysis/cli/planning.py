"""``topograph plan``: how large a study must be."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from analysis.cli.arguments import setting
from analysis.cli.printing import plain, say


def plan(options: argparse.Namespace) -> None:
    """``topograph plan``."""
    import analysis

    source: Any = options.source
    renamed = {theirs: str(ours) for theirs, ours in (setting(text, "--columns") for text in options.columns)}
    if renamed or options.outcome != "test_accuracy":
        source = analysis.load_frame(source, renamed or None, outcome=options.outcome)
    planned = analysis.plan(
        source,
        options.metric,
        points=options.points,
        power=options.power,
        outcome=options.outcome,
        control=options.control,
        cells=options.cells,
        n_cells=options.n_cells,
        trainings=options.trainings,
        topology_hours=options.topology_hours,
    )
    text = f"{planned}\n\n{planned.alternatives.to_string(float_format='{:.3g}'.format)}"
    record = asdict(planned) | {"runs": planned.runs, "per_cell": planned.per_cell, "unit": planned.unit.value}
    say(options, text, plain(record | {"alternatives": planned.alternatives.reset_index()}))
