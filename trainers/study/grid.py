"""`Grid`: one cross of lists, with lists that walk together and points that are left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from topograph.checks import check_integer
from topograph.constructions import get_construction
from topograph.errors import UnknownNameError, UnsupportedSettingError
from trainers.config import TrainingConfig
from trainers.datasets import available_datasets
from trainers.registry import available_trainers
from trainers.study.axes import expand, unique
from trainers.study.faults import Path, SpecFault, at, check_keys
from trainers.study.recipe import Options, Recipe
from trainers.study.variants import PLAIN, Variant

SETTINGS = tuple(field.name for field in fields(TrainingConfig) if field.name != "seed")
SEEDS = ("topology_seeds", "training_seeds")
SINGULAR = {
    "dataset": "datasets",
    "trainer": "trainers",
    "architecture": "architectures",
    "construction": "constructions",
    "variant": "variants",
    "degree": "degrees",
    "density": "densities",
    "topology_seed": "topology_seeds",
    "training_seed": "training_seeds",
}
AXES = tuple(SINGULAR.values())


@dataclass(frozen=True)
class Choice:
    """A construction with its options."""

    name: str
    options: Options = ()


@dataclass(frozen=True)
class Wanted:
    """How many connections: ``"degrees"`` or ``"densities"``, one for all layer pairs or one for each."""

    kind: str
    values: tuple[float, ...] | float

    def each(self, pairs: int) -> tuple[float, ...]:
        """One value for each layer pair."""
        return self.values if isinstance(self.values, tuple) else (self.values,) * pairs

    def degrees(self, construction: str, sizes: tuple[int, ...]) -> tuple[float, ...]:
        """The degrees that a construction is asked for in an architecture."""
        values = self.each(len(sizes) - 1)
        if self.kind == "densities":
            values = tuple(share * size for share, size in zip(values, sizes[1:], strict=False))
            if not get_construction(construction).real_degree:
                values = tuple(max(1, round(degree)) for degree in values)
        return tuple(int(degree) if degree == int(degree) else degree for degree in values)


@dataclass(frozen=True)
class Point:
    """A place in the grid: all that determines a run but its two seeds, which are listed.

    Parameters
    ----------
    recipe
        With the seed 0.
    dataset, trainer
        Names.
    config
        With the seed 0.
    seeds
        Pairs of a topology's and a training's seed.
    """

    recipe: Recipe
    dataset: str
    trainer: str
    config: TrainingConfig
    seeds: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Grid:
    """Every combination of what is listed.

    Parameters
    ----------
    axes
        Name → values: the axes of a grid, and training settings.
    zipped
        Axes that walk together, first value with first value.
    path
        Where it stands in the specification.
    """

    axes: Mapping[str, tuple[Any, ...]]
    zipped: tuple[tuple[str, ...], ...]
    path: Path

    @classmethod
    def read(cls, content: Any, training: Mapping[str, Any], path: Path) -> Grid:
        """Read a ``[grid]`` with the settings of ``[training]`` that it does not change.

        Raises
        ------
        SpecError
        """
        if not isinstance(content, Mapping):
            raise SpecFault("must be a table that lists what to combine", path)
        content = _plural(content, path)
        check_keys(content, (*AXES, "training", "zip"), path)
        for needed in ("architectures", "constructions"):
            if needed not in content:
                raise SpecFault(f"needs {needed}", path)
        if "degrees" not in content and "densities" not in content and content["constructions"] not in (
            "dense", ["dense"],
        ):  # fmt: skip
            raise SpecFault("needs degrees or densities", path)
        filled = {"datasets": "digits", "trainers": "numpy", "variants": "plain"}
        filled |= dict.fromkeys(SEEDS, 0) | content
        axes = {axis: read_axis(axis, filled[axis], (*path, axis)) for axis in AXES if axis in filled}
        own = content.get("training", {})
        axes |= read_settings(training, ("training",)) | read_settings(own, (*path, "training"))
        return cls(axes, _zips(content.get("zip", []), axes, (*path, "zip")), path)

    def points(self, excluded: Callable[[Mapping[str, Any]], bool]) -> Iterator[Point]:
        """Every combination that is not excluded, checked."""
        wanted = [axis for axis in ("degrees", "densities") if axis in self.axes]
        for axis in wanted or [""]:
            left_out = {"degrees", "densities"} - {axis}
            for choice in self._combinations(left_out):
                if (point := self._point(choice, choice.get(axis), excluded)) is not None:
                    yield point

    def _combinations(self, left_out: set[str]) -> Iterator[dict[str, Any]]:
        groups = [group for group in self.zipped if not left_out & set(group)]
        tied = set(itertools.chain.from_iterable(groups))
        groups += [(axis,) for axis in self.axes if axis not in tied | left_out | set(SEEDS)]
        columns = [list(zip(*(self.axes[axis] for axis in group), strict=True)) for group in groups]
        names = list(itertools.chain.from_iterable(groups))
        for values in itertools.product(*columns):
            yield dict(zip(names, itertools.chain.from_iterable(values), strict=True))

    def _point(
        self, choice: dict[str, Any], wanted: Wanted | None, excluded: Callable[[Mapping[str, Any]], bool]
    ) -> Point | None:
        construction: Choice = choice["constructions"]
        sizes: tuple[int, ...] = choice["architectures"]
        dense = construction.name == "dense"
        degrees = None if dense or wanted is None else wanted.degrees(construction.name, sizes)
        variant = PLAIN if dense else choice["variants"]
        if degrees is not None:
            self._check_fit(construction.name, sizes, degrees, wanted)
        recipe = Recipe(construction.name, sizes, degrees, 0, variant, construction.options)
        drawn = variant.random or get_construction(construction.name).random
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
        return Point(recipe, choice["datasets"], choice["trainers"], config, unique(seeds))

    def _check_fit(
        self, construction: str, sizes: tuple[int, ...], degrees: tuple[float, ...], wanted: Wanted | None
    ) -> None:
        key = (*self.path, wanted.kind if wanted else "degrees")
        widths = sizes[1:]
        if len(degrees) != len(widths):
            raise SpecFault(
                f"architecture {list(sizes)} has {len(widths)} layer pairs, but {list(degrees)} names {len(degrees)}; "
                "put it into a [[grid]] of its own, or let architectures and degrees walk together: "
                'zip = ["architectures", "degrees"]',
                key,
            )
        real = get_construction(construction).real_degree
        for degree, width in zip(degrees, widths, strict=True):
            if not 0 < degree <= width or (degree != int(degree) and not real):
                raise SpecFault(
                    f"degree {degree:g} does not fit {construction} in architecture {list(sizes)}: need 1 to {width}, "
                    "a whole number unless the construction takes others",
                    key,
                )


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
        values = expand(value)
        if not values:
            raise SpecFault("must not be empty", (*path, name))
        for one in values:
            # a value that only another setting makes wrong is judged in its combinations
            with at((*path, name)), suppress(UnsupportedSettingError):
                TrainingConfig(**{name: one})
        settings[name] = unique(values)
    return settings


class Exclusion:
    """Points that are left out: those that agree with every key of an ``[[exclude]]``.

    Parameters
    ----------
    content
        Axis or training setting → one value or several, any of which agrees.
    path
        Where it stands.
    """

    def __init__(self, content: Any, path: Path) -> None:
        if not isinstance(content, Mapping) or not content:
            raise SpecFault("must be a table that says which combinations to leave out", path)
        content = _plural(content, path)
        check_keys(content, (*AXES, *SETTINGS), path)
        self.path = path
        self.hits = 0
        self._accepted = {
            key: read_axis(key, value, (*path, key)) if key in AXES else tuple(expand(value))
            for key, value in content.items()
        }

    def __call__(self, choice: Mapping[str, Any]) -> bool:
        """Whether a combination is left out."""
        hit = all(any(_agrees(key, value, choice) for value in values) for key, values in self._accepted.items())
        self.hits += hit
        return hit


def _agrees(key: str, value: Any, choice: Mapping[str, Any]) -> bool:
    recipe: Recipe = choice["recipe"]
    if key == "constructions":
        return recipe.construction == value.name and set(value.options) <= set(recipe.options)
    if key == "variants":
        return bool(recipe.variant == value)
    if key in ("degrees", "densities"):
        wanted: Wanted | None = choice["wanted"]
        pairs = len(recipe.sizes) - 1
        if recipe.degrees is None or wanted is None:
            return False
        found = recipe.degrees if key == "degrees" else wanted.each(pairs) if wanted.kind == key else None
        return bool(found == value.each(pairs))
    return bool(choice.get(key, _DEFAULTS.get(key)) == value)


_DEFAULTS = TrainingConfig().to_record()


@lru_cache(maxsize=1024)
def _config(settings: tuple[tuple[str, Any], ...]) -> TrainingConfig:
    return TrainingConfig.from_record(dict(settings))


def _plural(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Keys in the plural; ``degree = 3`` says what ``degrees = 3`` says."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        name = SINGULAR.get(key, key)
        if name in result:
            raise SpecFault(f"says {name} twice", (*path, key))
        result[name] = value
    return result


def _zips(value: Any, axes: Mapping[str, tuple[Any, ...]], path: Path) -> tuple[tuple[str, ...], ...]:
    groups = value if isinstance(value, list) and all(isinstance(entry, list) for entry in value) else [value]
    seen: set[str] = set()
    result = []
    for group in groups:
        if not isinstance(group, list) or len(group) < 2:
            raise SpecFault('names two axes or more that walk together, such as ["architectures", "degrees"]', path)
        names = tuple(SINGULAR.get(str(name), str(name)) for name in group)
        for name in names:
            if name not in axes:
                raise SpecFault(str(UnknownNameError.among("axis of this grid", name, axes)), path)
            if name in seen:
                raise SpecFault(f"{name} can walk with one group only", path)
            seen.add(name)
        lengths = {name: len(axes[name]) for name in names}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise SpecFault(f"what walks together must be equally long, but {shown} different values", path)
        result.append(names)
    return tuple(result)


# ---------------------------------------------------------------------- readers of axes


def _names(value: Any) -> list[str]:
    values = expand(value)
    if not all(isinstance(entry, str) for entry in values):
        raise SpecFault(f"must be names, but got {value!r}")
    return values


def _registered(kind: str, known: Callable[[], tuple[str, ...]], value: Any) -> list[str]:
    names = _names(value)
    for name in names:
        if name not in known() and not (kind == "data set" and name.endswith(".npz")):
            raise UnknownNameError.among(kind, name, known())
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
            get_construction(entry)
            found.append(Choice(entry))
            continue
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise SpecFault(f"must be names or tables {{ name = …, option = … }}, but got {entry!r}")
        known = get_construction(entry["name"]).options
        options = {key: expand(option) for key, option in entry.items() if key != "name"}
        check_keys(options, known, kind=f"option of {entry['name']}")
        found += [
            Choice(entry["name"], tuple(sorted(zip(options, chosen, strict=True))))
            for chosen in itertools.product(*options.values())
        ]
    return found


def _variants(value: Any) -> list[Variant]:
    return [Variant.from_spec(entry) for entry in ([value] if isinstance(value, Mapping) else expand(value))]


def _wanted(kind: str, value: Any) -> list[Wanted]:
    result = []
    for entry in expand(value):
        numbers = list(entry) if isinstance(entry, (list, tuple)) else [entry]
        if not numbers or not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
            raise SpecFault(f"must hold numbers, or lists with one for each layer pair, but got {entry!r}")
        if kind == "densities" and not all(0 < share <= 1 for share in numbers):
            raise SpecFault(f"must be in (0, 1], but got {entry!r}")
        result.append(Wanted(kind, tuple(numbers) if isinstance(entry, (list, tuple)) else entry))
    return result


def _seeds(value: Any) -> list[int]:
    return [check_integer("a seed", seed, low=0) for seed in expand(value)]


_READERS: dict[str, Callable[[Any], list[Any]]] = {
    "datasets": lambda value: _registered("data set", available_datasets, value),
    "trainers": lambda value: _registered("trainer", available_trainers, value),
    "architectures": _architectures,
    "constructions": _constructions,
    "variants": _variants,
    "degrees": lambda value: _wanted("degrees", value),
    "densities": lambda value: _wanted("densities", value),
    "topology_seeds": _seeds,
    "training_seeds": _seeds,
}
