"""`StudySpec`: the specification of a study, read from TOML and checked whole before any work."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from topograph.errors import SpecError
from topograph.metrics.registry import select_metrics
from trainers.study.spec.axes import SINGULAR
from trainers.study.spec.content import check_content
from trainers.study.spec.exclusion import Exclusion
from trainers.study.spec.faults import SpecFault, at, check_keys, find_line
from trainers.study.spec.grid import Grid, Point
from trainers.study.spec.records import AnyRecipe
from trainers.study.spec.values import expand, unique

_KEYS = ("name", "question", "grid", "training", "exclude", "metrics")
_LARGEST = 10_000_000
MAX_RUNS = 5_000_000
"""Largest number of combinations of the grids of one study."""
DEFAULT_METRICS = ("sizes", "degrees", "structure", "spectral", "ramanujan")


@dataclass(frozen=True)
class StudySpec:
    """Grids of runs: every combination of what each grid lists, except those that are excluded.

    A specification has a table ``[grid]``, or several ``[[grid]]`` whose runs are taken together:

    ===================================  =====================================================================
    ``datasets``                         names, or paths of ``.npz`` files
    ``trainers``                         registered names, or ``"module:Class"`` for one in a module
    ``architectures``                    numbers of neurons, such as ``[[784, 300, 10], [784, 100, 10]]``
    ``constructions``                    names, or ``{ name = "watts_strogatz", beta = [0.1, 0.5] }`` with options;
                                         ``dense`` has no degree and is taken once per architecture; or pruners,
                                         such as ``{ name = "snip", rounds = 20 }``, with ``scope`` and ``allocation``
    ``models``                           instead of architectures, in a grid of their own: names, tables such as
                                         ``{ name = "lstm", hidden = [32, 64] }``, or ``"module:function"``; the trainer
                                         is then ``pytorch`` where none is named
    ``allocations``                      of models: how their layers share the edges of a density
    ``variants``                         see `trainers.study.spec.variants.Variant`; ``dense`` is taken plain only
    ``degrees``                          outputs of each input: one number for all layers, or a list with one per layer
    ``densities``                        instead or in addition: the share of edges, likewise
    ``topology_seeds, training_seeds``   at each point: one topology per seed, and one training of each per seed
    ``rewirings``                        rules by which edges change while training; the setting ``rewiring``
    ``compressions``                     other ways to have as few parameters; the setting ``compression``
    ``training``                         settings of this grid only
    ``zip``                              axes that are zipped instead of crossed
    ===================================  =====================================================================

    Beside it, ``[training]`` holds settings for all grids (`trainers.TrainingConfig`), and each ``[[exclude]]`` leaves
    out the combinations that agree with all it says. Wherever a number is expected, a list or a range may stand
    (`trainers.study.spec.values.expand`); every setting that has several values is an axis of the grid.

    Parameters
    ----------
    name
        Name of the study.
    question
        Question that it is to answer, for the report.
    metrics
        Names of metrics or groups, measured for every topology.
    grids, exclusions
        Combinations that are taken, and those that are left out.
    content
        The specification as a dictionary.

    Examples
    --------
    >>> spec = StudySpec.from_mapping(
    ...     {
    ...         "name": "tiny",
    ...         "grid": {"datasets": "digits", "architectures": [64, 16, 10], "degrees": [2, 4],
    ...                  "constructions": ["regular_rotating", "dense"]},
    ...         "training": {"epochs": 2, "dropout_hidden": [0, 0.5]},
    ...         "exclude": [{"constructions": "dense", "dropout_hidden": 0.5}],
    ...     }
    ... )
    >>> [recipe.degrees for recipe in spec.recipes()]
    [(2, 2), (4, 4), None]
    >>> [(point.recipe.construction, point.config.dropout_hidden) for point in spec.points][-3:]
    [('regular_rotating', 0.0), ('regular_rotating', 0.5), ('dense', 0.0)]
    """

    name: str
    question: str
    metrics: tuple[str, ...]
    grids: tuple[Grid, ...]
    exclusions: tuple[Exclusion, ...]
    content: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> StudySpec:
        """Read a TOML file.

        Raises
        ------
        SpecError
            When the file is missing or not TOML, or asks for what does not exist; the message names file, line, key and
            remedy.
        """
        source = Path(path)
        try:
            with source.open(encoding="utf-8") as file:
                text = file.read(_LARGEST + 1)
            if len(text) > _LARGEST:
                raise SpecError(f"{source}: has more than {_LARGEST:,} characters, too many for a specification")
            content = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, MemoryError) as error:
            raise SpecError(f"{source}: cannot be read: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"{source}: not valid TOML: {error}") from error
        except SpecError:
            raise
        except RecursionError:
            raise SpecError(f"{source}: lists or tables are nested too deeply") from None
        except ValueError as error:  # such as a number of thousands of digits
            raise SpecError(f"{source}: not a valid value: {error}") from error
        content.setdefault("name", source.stem)
        try:
            return cls.from_mapping(content)
        except SpecFault as fault:
            line = find_line(text, fault.path, SINGULAR)
            raise SpecError(f"{source}{f', line {line}' if line else ''}: {fault}") from fault

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> StudySpec:
        """Read the same content from a dictionary.

        Raises
        ------
        SpecError
            When a key is unknown or missing, or a value is not allowed.
        """
        content = check_content(content)
        check_keys(content, _KEYS)
        given = content.get("grid")
        if given is None or given == []:
            raise SpecFault("a study needs a table [grid] that lists what to combine", ("grid",))
        tables = given if isinstance(given, list) else [given]
        for key in ("name", "question"):
            if not isinstance(content.get(key, ""), (str, int, float)):
                raise SpecFault(f"must be a string, but got {content[key]!r}"[:200], (key,))
        training = content.get("training", {})
        if not isinstance(training, Mapping):
            raise SpecFault("must be a table of settings", ("training",))
        excluded = content.get("exclude", [])
        with at(("metrics",)):
            metrics = unique(expand(content.get("metrics", list(DEFAULT_METRICS))))
            select_metrics(metrics)
        spec = cls(
            name=str(content.get("name", "study")),
            question=str(content.get("question", "")),
            metrics=metrics,
            grids=tuple(
                Grid.read(table, training, ("grid", number) if isinstance(given, list) else ("grid",))
                for number, table in enumerate(tables)
            ),
            exclusions=tuple(
                Exclusion(table, ("exclude", number))
                for number, table in enumerate(excluded if isinstance(excluded, list) else [excluded])
            ),
            content=content,
        )
        planned = sum(grid.size for grid in spec.grids)
        if planned > MAX_RUNS:
            raise SpecFault(
                f"the grid has {planned:,} combinations, but a study has at most {MAX_RUNS:,}: make several studies; "
                "they may share a store",
                ("grid",),
            )
        if not spec.points:
            raise SpecFault("every combination is excluded: nothing is left to run", ("exclude",))
        for exclusion in spec.exclusions:
            if not exclusion.hits:
                raise SpecFault("no combination of the grid agrees with this: it excludes nothing", exclusion.path)
        return spec

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every point of the grids; where grids overlap, points can have seeds in common."""

        def excluded(choice: Mapping[str, Any]) -> bool:
            return sum(exclusion(choice) for exclusion in self.exclusions) > 0  # each one counts its hits

        return unique(point for grid in self.grids for point in grid.points(excluded))

    def recipes(self) -> list[AnyRecipe]:
        """Recipes of the topologies of all grids, each once."""
        return list(
            dict.fromkeys(
                point.recipe.planned(seed, "") for point in self.points for seed in unique(s for s, _ in point.seeds)
            )
        )
