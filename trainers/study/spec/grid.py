"""`Grid`: all combinations of some lists, some of which may be zipped."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from topograph.errors import UnknownNameError
from trainers.config import TrainingConfig
from trainers.study.spec.axes import (
    AXES,
    SEEDS,
    SETTING_AXES,
    SETTINGS,
    SINGULAR,
    Choice,
    Wanted,
    in_plural,
    read_axis,
    read_settings,
)
from trainers.study.spec.faults import Path, SpecFault, at, check_keys
from trainers.study.spec.makers import is_drawn, is_pruner, scope_of, settings_that_matter, takes_real_degrees
from trainers.study.spec.model_recipe import ModelRecipe
from trainers.study.spec.pruned import Pruned
from trainers.study.spec.recipe import Recipe
from trainers.study.spec.records import AnyRecipe
from trainers.study.spec.values import unique
from trainers.study.spec.variants import PLAIN


@dataclass(frozen=True)
class Point:
    """A point of the grid: all that determines a run except its two seeds, which are listed.

    Parameters
    ----------
    recipe
        Recipe of the topology, with the seed 0.
    dataset, trainer
        Their names.
    config
        Settings of the training, with the seed 0.
    seeds
        Pairs of a topology seed and a training seed.
    """

    recipe: AnyRecipe
    dataset: str
    trainer: str
    config: TrainingConfig
    seeds: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Grid:
    """Every combination of the listed values.

    Parameters
    ----------
    axes
        Name of an axis or a training setting → its values.
    zipped
        Names of axes that are zipped: the first values together, then the second ones, …
    path
        Its place in the specification.
    """

    axes: Mapping[str, tuple[Any, ...]]
    zipped: tuple[tuple[str, ...], ...]
    path: Path

    @classmethod
    def read(cls, content: Any, training: Mapping[str, Any], path: Path) -> Grid:
        """Read a ``[grid]``; settings that it does not have come from ``[training]``.

        Raises
        ------
        SpecError
        """
        if not isinstance(content, Mapping):
            raise SpecFault("must be a table that lists what to combine", path)
        content = in_plural(content, path)
        check_keys(content, (*AXES, *SETTING_AXES, "training", "zip"), path)
        if "constructions" not in content:
            raise SpecFault("needs constructions", path)
        _check_networks(content, path)
        if "degrees" not in content and "densities" not in content and content["constructions"] not in (
            "dense", ["dense"],
        ):  # fmt: skip
            raise SpecFault("needs degrees or densities", path)
        filled = {"datasets": "digits", "trainers": "numpy", "variants": "plain"}
        if "models" in content:
            filled |= {"trainers": "pytorch", "allocations": "uniform"}
        filled |= dict.fromkeys(SEEDS, 0) | content
        axes = {axis: read_axis(axis, filled[axis], (*path, axis)) for axis in AXES if axis in filled}
        own = content.get("training", {})
        axes |= read_settings(training, ("training",)) | read_settings(own, (*path, "training"))
        for axis, setting in SETTING_AXES.items():
            if axis not in content:
                continue
            if isinstance(own, Mapping) and setting in own:
                raise SpecFault(f"{setting} is given twice: as {axis}, and under training", (*path, axis))
            axes |= read_settings({setting: content[axis]}, (*path, axis))
        return cls(axes, _zips(content.get("zip", []), axes, (*path, "zip")), path)

    @property
    def size(self) -> int:
        """Number of combinations, before any is excluded."""
        counted = [axis for axis in ("degrees", "densities") if axis in self.axes] or [""]
        return sum(
            math.prod(len(self.axes[group[0]]) for group in self._groups({"degrees", "densities"} - {axis}, seeds=True))
            for axis in counted
        )

    def points(self, excluded: Callable[[Mapping[str, Any]], bool]) -> Iterator[Point]:
        """Every combination that is not excluded, after checking it."""
        wanted = [axis for axis in ("degrees", "densities") if axis in self.axes]
        for axis in wanted or [""]:
            left_out = {"degrees", "densities"} - {axis}
            for choice in self._combinations(left_out):
                if (point := self._point(choice, choice.get(axis), excluded)) is not None:
                    yield point

    def _combinations(self, left_out: set[str]) -> Iterator[dict[str, Any]]:
        groups = self._groups(left_out)
        columns = [list(zip(*(self.axes[axis] for axis in group), strict=True)) for group in groups]
        names = list(itertools.chain.from_iterable(groups))
        for values in itertools.product(*columns):
            yield dict(zip(names, itertools.chain.from_iterable(values), strict=True))

    def _groups(self, left_out: set[str], seeds: bool = False) -> list[tuple[str, ...]]:
        """Axes that vary together; those of seeds that vary alone only where they are asked for."""
        groups = [group for group in self.zipped if not left_out & set(group)]
        tied = set(itertools.chain.from_iterable(groups))
        alone = set() if seeds else set(SEEDS)
        return groups + [(axis,) for axis in self.axes if axis not in tied | left_out | alone]

    def _point(
        self, choice: dict[str, Any], wanted: Wanted | None, excluded: Callable[[Mapping[str, Any]], bool]
    ) -> Point | None:
        construction: Choice = choice["constructions"]
        make = self._recipe if "architectures" in choice else self._model_recipe
        recipe = make(choice, construction, wanted)
        drawn = recipe.variant.random or is_drawn(construction.name)
        seeds = [
            (topology_seed if drawn else 0, training_seed)
            for topology_seed, training_seed in itertools.product(
                *([choice[axis]] if axis in choice else self.axes[axis] for axis in SEEDS)
            )
            if not excluded(
                choice
                | {"recipe": recipe, "wanted": wanted}
                | {"topology_seeds": topology_seed, "training_seeds": training_seed}
            )
        ]
        if not seeds:
            return None
        with at(("training",)):
            config = _config(tuple((name, choice[name]) for name in SETTINGS if name in choice))
        if is_pruner(construction.name):
            settings = json.dumps(settings_that_matter(construction.name, config), sort_keys=True)
            recipe = replace(recipe, pruned=Pruned(choice["datasets"], settings))
        return Point(recipe, choice["datasets"], choice["trainers"], config, unique(seeds))

    def _recipe(self, choice: Mapping[str, Any], construction: Choice, wanted: Wanted | None) -> AnyRecipe:
        """The recipe of a chain, with the seed 0."""
        sizes: tuple[int, ...] = choice["architectures"]
        dense = construction.name == "dense"
        variant = PLAIN if dense else choice["variants"]
        degrees = None if dense or wanted is None else self._degrees(construction.name, sizes, wanted)
        return Recipe(construction.name, sizes, degrees, 0, variant, construction.options)

    def _model_recipe(self, choice: Mapping[str, Any], construction: Choice, wanted: Wanted | None) -> AnyRecipe:
        """The recipe of a model's masks, with the seed 0."""
        density, allocation = 1.0, choice["allocations"]
        dense = construction.name == "dense"
        if not dense and wanted is not None:
            if isinstance(wanted.values, tuple):
                raise SpecFault(
                    f"the density of a model is one number for all its layers, but got {list(wanted.values)}; "
                    "allocations says how they share the edges",
                    (*self.path, "densities"),
                )
            density = float(wanted.values)
        if dense:
            allocation = "uniform"
        elif is_pruner(construction.name) and scope_of(construction.name, dict(construction.options)) == "global":
            allocation = "global"
        variant, data = PLAIN if dense else choice["variants"], Pruned(choice["datasets"], "{}")
        return ModelRecipe(
            choice["models"], construction.name, density, allocation, 0, data, variant, construction.options
        )

    def _degrees(self, construction: str, sizes: tuple[int, ...], wanted: Wanted) -> tuple[float, ...]:
        """The degrees asked for, if they fit."""
        key = (*self.path, wanted.kind)
        with at(key):
            degrees = wanted.degrees(construction, sizes)
        real = takes_real_degrees(construction)
        for degree, width in zip(degrees, sizes[1:], strict=True):
            if not 0 < degree <= width or (degree != int(degree) and not real):
                raise SpecFault(
                    f"degree {degree:g} does not fit {construction} in architecture {list(sizes)}: need 1 to {width}, "
                    "a whole number unless the construction takes others",
                    key,
                )
        return degrees


def _check_networks(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a grid without networks, or with both kinds, and what only the other kind has."""
    if "models" not in content and "architectures" not in content:
        raise SpecFault("needs architectures, of chains of dense layers, or models", path)
    if "models" not in content:
        if "allocations" in content:
            raise SpecFault("allocations are for models; a list of degrees says the same of a chain", path)
        return
    if "architectures" in content:
        raise SpecFault("has architectures and models; give each a [[grid]] of its own", path)
    if "degrees" in content:
        raise SpecFault(
            "degrees are for architectures, whose layers are known; give models densities", (*path, "degrees")
        )


@lru_cache(maxsize=1024)
def _config(settings: tuple[tuple[str, Any], ...]) -> TrainingConfig:
    return TrainingConfig.from_record(dict(settings))


def _axis(name: str) -> str:
    """The name of an axis in this grid; some are a training setting."""
    axis = SINGULAR.get(name, name)
    return SETTING_AXES.get(axis, axis)


def _zips(value: Any, axes: Mapping[str, tuple[Any, ...]], path: Path) -> tuple[tuple[str, ...], ...]:
    groups = value if isinstance(value, list) and all(isinstance(entry, list) for entry in value) else [value]
    seen: set[str] = set()
    result = []
    for group in groups:
        if not isinstance(group, list) or len(group) < 2:
            raise SpecFault('must name at least two axes to zip, such as ["architectures", "degrees"]', path)
        names = tuple(_axis(str(name)) for name in group)
        for name in names:
            if name not in axes:
                raise SpecFault(str(UnknownNameError.among("axis of this grid", name, axes)), path)
            if name in seen:
                raise SpecFault(f"{name} is in two groups; an axis can be zipped with one group only", path)
            seen.add(name)
        lengths = {name: len(axes[name]) for name in names}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise SpecFault(f"zipped axes must have the same length, but {shown} different values", path)
        result.append(names)
    return tuple(result)
