"""The pilot that a plan rests on: a frame as it is, or a small part of a study that is run for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.frame import load_frame
from trainers.study.runner import run_study
from trainers.study.spec import StudySpec

PILOT: Mapping[str, Any] = {
    "name": "pilot",
    "question": "How much does accuracy vary between topologies of equal degrees, and between trainings of each?",
    "grid": {
        "datasets": "digits",
        "architectures": [64, 32, 10],
        "constructions": ["random_edge", "random_regular", "regular_rotating"],
        "degrees": [[2, 4], [4, 4], [8, 4]],
        "topology_seeds": [0, 1, 2, 3, 4, 5],
        "training_seeds": [0, 1],
    },
    "training": {
        "epochs": 10, "batch_size": 32, "learning_rate": 0.05, "momentum": 0.9, "loss": "cross_entropy",
        "activation": "tanh", "output_activation": "softmax",
    },
}  # fmt: skip
"""The pilot that is run where there is none."""
_TOPOLOGIES, _TRAININGS, _SIZES = 4, 2, 3


def pilot_frame(source: pd.DataFrame | str | os.PathLike[str] | Mapping[str, Any] | StudySpec | None) -> pd.DataFrame:
    """The frame of a pilot.

    Parameters
    ----------
    source
        A frame, store, published study or table; or a specification, of which `small_part` is run in a temporary
        store; or None, for `PILOT`.
    """
    if isinstance(source, pd.DataFrame):
        return source if "topology_id" in source.columns else load_frame(source)
    if source is None:
        return _run(StudySpec.from_mapping(PILOT))
    if isinstance(source, StudySpec):
        return _run(small_part(source))
    if isinstance(source, Mapping):
        return _run(small_part(StudySpec.from_mapping(source)))
    if Path(source).suffix.lower() == ".toml":
        return _run(small_part(StudySpec.from_toml(source)))
    return load_frame(source)


def small_part(spec: StudySpec) -> StudySpec:
    """A specification with four topology seeds, two training seeds, and three of each grid's degrees or densities.

    Seeds and degrees that are zipped with other axes stay as they are.

    Examples
    --------
    >>> grid = dict(PILOT["grid"]) | {"degrees": [1, 2, 3, 4, 5]}
    >>> part = small_part(StudySpec.from_mapping(dict(PILOT) | {"grid": grid}))
    >>> part.grids[0].axes["topology_seeds"], len(part.grids[0].axes["degrees"])
    ((0, 1, 2, 3), 3)
    """
    grids = []
    for grid in spec.grids:
        zipped = {axis for group in grid.zipped for axis in group}
        axes = dict(grid.axes)
        for axis, count in (("topology_seeds", _TOPOLOGIES), ("training_seeds", _TRAININGS)):
            if axis not in zipped:
                given = axes.get(axis, ())
                more = (seed for seed in range(count + len(given)) if seed not in given)
                axes[axis] = (*given, *more)[:count]
        for axis in ("degrees", "densities"):
            if axis not in zipped and len(axes.get(axis, ())) > _SIZES:
                values = axes[axis]
                axes[axis] = tuple(values[round(i * (len(values) - 1) / (_SIZES - 1))] for i in range(_SIZES))
        grids.append(replace(grid, axes=axes))
    return replace(spec, grids=tuple(grids))


def _run(spec: StudySpec) -> pd.DataFrame:
    with tempfile.TemporaryDirectory(prefix="topograph-pilot-") as folder:
        store = Path(folder) / "pilot.sqlite"
        run_study(spec, store, progress=False)
        return load_frame(store)
