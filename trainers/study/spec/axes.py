"""The axes of a grid: their names, and how their values are read from a specification."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from topograph.checks import check_integer
from topograph.constructions.allocation import ALLOCATIONS
from topograph.errors import UnknownNameError, UnsupportedSettingError
from trainers.config import TrainingConfig
from trainers.datasets import available_datasets
from trainers.models import ModelSpec, get_model
from trainers.registry import available_trainers, get_trainer
from trainers.study.spec.faults import Path, SpecFault, at, check_keys
from trainers.study.spec.makers import is_pruner, options_of, takes_real_degrees
from trainers.study.spec.recipe import Options
from trainers.study.spec.values import MAX_VALUES, expand, unique
from trainers.study.spec.variants import Variant

SETTINGS = tuple(field.name for field in fields(TrainingConfig) if field.name != "seed")
SEEDS = ("topology_seeds", "training_seeds")
SINGULAR = {
    "dataset": "datasets",
    "trainer": "trainers",
    "architecture": "architectures",
    "model": "models",
    "allocation": "allocations",
    "construction": "constructions",
    "variant": "variants",
    "degree": "degrees",
    "density": "densities",
    "topology_seed": "topology_seeds",
    "training_seed": "training_seeds",
    "rewiring": "rewirings",
    "compression": "compressions",
}
SETTING_AXES = {"rewirings": "rewiring", "compressions": "compression"}
"""Axes that are a training setting under another name."""
AXES = tuple(name for name in SINGULAR.values() if name not in SETTING_AXES)


@dataclass(frozen=True)
class Choice:
    """A construction with its options."""

    name: str
    options: Options = ()


@dataclass(frozen=True)
class Wanted:
    """How many edges: ``"degrees"`` or ``"densities"``, one for all layers or one for each."""

    kind: str
    values: tuple[float, ...] | float

    def each(self, pairs: int) -> tuple[float, ...]:
        """One value for each layer."""
        return self.values if isinstance(self.values, tuple) else (self.values,) * pairs

    def degrees(self, construction: str, sizes: tuple[int, ...]) -> tuple[float, ...]:
        """The degrees to ask of a construction in an architecture.

        Raises
        ------
        SpecError
            When there are more or fewer values than layers.
        """
        pairs = len(sizes) - 1
        values = self.each(pairs)
        if len(values) != pairs:
            raise SpecFault(
                f"architecture {list(sizes)} has {pairs} layers, but {list(values)} has {len(values)} values; put it "
                f"into a [[grid]] of its own, or zip architectures and {self.kind}: "
                f'zip = ["architectures", "{self.kind}"]'
            )
        if self.kind == "densities":
            values = tuple(share * size for share, size in zip(values, sizes[1:], strict=True))
            if not takes_real_degrees(construction):
                values = tuple(max(1, round(degree)) for degree in values)
        return tuple(int(degree) if degree == int(degree) else degree for degree in values)


def read_axis(axis: str, value: Any, path: Path) -> tuple[Any, ...]:
    """The values of an axis of a grid, each checked.

    Raises
    ------
    SpecError
    """
    with at(path):
        found = unique(_READERS[axis](value))
        if not found:
            raise SpecFault("must not be empty")
        return found


def read_settings(content: Any, path: Path) -> dict[str, tuple[Any, ...]]:
    """Training settings, each a value, a list or a range: name → values.

    Raises
    ------
    SpecError
    """
    if not isinstance(content, Mapping):
        raise SpecFault("must be a table of settings", path)
    if "seed" in content:
        raise SpecFault("list seeds as training_seeds in [grid]", (*path, "seed"))
    check_keys(content, SETTINGS, path, "training setting")
    settings = {}
    for name, value in content.items():
        with at((*path, name)):
            values = expand(value)
            if not values:
                raise SpecFault("must not be empty")
            for option in values:
                # whether it fits the other settings is checked for each combination
                with suppress(UnsupportedSettingError):
                    TrainingConfig(**{name: option})
            settings[name] = unique(values)
    return settings


def in_plural(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The content with all keys in the plural; ``degree = 3`` means ``degrees = 3``."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        name = SINGULAR.get(key, key)
        if name in result:
            raise SpecFault(f"{name} is given twice", (*path, key))
        result[name] = value
    return result


# ---------------------------------------------------------------------- readers of axes


def _names(value: Any) -> list[str]:
    values = expand(value)
    if not all(isinstance(entry, str) for entry in values):
        raise SpecFault(f"must be names, but got {value!r}")
    return values


def _datasets(value: Any) -> list[str]:
    """Names of data sets, or paths of ``.npz`` files."""
    names = _names(value)
    for name in names:
        if name not in available_datasets() and not name.endswith(".npz"):
            raise UnknownNameError.among("data set", name, available_datasets())
    return names


def _trainers(value: Any) -> list[str]:
    """Names of trainers, registered or given as objects, or references ``"module:Class"``."""
    names = _names(value)
    for name in names:
        if name not in available_trainers():
            get_trainer(name)
    return names


def _architectures(value: Any) -> list[tuple[int, ...]]:
    values = expand(value)
    nested = values if values and isinstance(values[0], (list, tuple)) else [values]
    try:
        result = [tuple(check_integer("size", size, low=1) for size in sizes) for sizes in nested]
    except TypeError:
        raise SpecFault(f"must be lists of layer sizes, such as [784, 300, 10], but got {value!r}") from None
    if any(len(sizes) < 2 for sizes in result):
        raise SpecFault(f"an architecture has at least two sizes, but got {value!r}")
    return result


def _constructions(value: Any) -> list[Choice]:
    """Names, or tables ``{ name = …, option = … }`` whose options are values, lists or ranges."""
    found = []
    for entry in [value] if isinstance(value, Mapping) else expand(value):
        if isinstance(entry, str):
            is_pruner(entry)  # or else a construction
            found.append(Choice(entry))
            continue
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise SpecFault(f"must be names or tables {{ name = …, option = … }}, but got {entry!r}")
        options = {key: option for key, option in entry.items() if key != "name"}
        check_keys(options, options_of(entry["name"]), kind=f"option of {entry['name']}")
        found += [Choice(entry["name"], options) for options in _combinations(entry)]
    return found


def _models(value: Any) -> list[ModelSpec]:
    """Names, references ``"module:function"``, or tables ``{ name = …, option = … }`` with lists or ranges."""
    found = []
    for entry in [value] if isinstance(value, Mapping) else expand(value):
        table = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise SpecFault(f"must be names or tables {{ name = …, option = … }}, but got {entry!r}")
        found += [ModelSpec(table["name"], options) for options in _combinations(table)]
        get_model(table["name"]).check_options(dict(found[-1].options))
    return found


def _allocations(value: Any) -> list[str]:
    names = _names(value)
    for name in names:
        if name not in ALLOCATIONS:
            raise UnknownNameError.among("allocation", name, ALLOCATIONS)
    return names


def _combinations(table: Mapping[str, Any]) -> Iterator[Options]:
    """Every combination of the options of a table with a name."""
    options = {key: expand(option) for key, option in table.items() if key != "name"}
    if math.prod(map(len, options.values())) > MAX_VALUES:
        raise SpecFault(f"the options of {table['name']} have more than {MAX_VALUES:,} combinations")
    for chosen in itertools.product(*options.values()):
        yield tuple(sorted(zip(options, chosen, strict=True)))


def _variants(value: Any) -> list[Variant]:
    return [Variant.from_spec(entry) for entry in ([value] if isinstance(value, Mapping) else expand(value))]


def _wanted(kind: str, value: Any) -> list[Wanted]:
    result = []
    for entry in expand(value):
        numbers = list(entry) if isinstance(entry, (list, tuple)) else [entry]
        if not numbers or not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
            raise SpecFault(f"must hold finite numbers, or lists with one number per layer, but got {entry!r}")
        if kind == "densities" and not all(0 < share <= 1 for share in numbers):
            raise SpecFault(f"must be in (0, 1], but got {entry!r}")
        result.append(Wanted(kind, tuple(numbers) if isinstance(entry, (list, tuple)) else entry))
    return result


def _seeds(value: Any) -> list[int]:
    return [check_integer("a seed", seed, low=0, high=2**63 - 1) for seed in expand(value)]


_READERS: dict[str, Callable[[Any], list[Any]]] = {
    "datasets": _datasets,
    "trainers": _trainers,
    "architectures": _architectures,
    "models": _models,
    "allocations": _allocations,
    "constructions": _constructions,
    "variants": _variants,
    "degrees": lambda value: _wanted("degrees", value),
    "densities": lambda value: _wanted("densities", value),
    "topology_seeds": _seeds,
    "training_seeds": _seeds,
}
