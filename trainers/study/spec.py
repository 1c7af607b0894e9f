"""`StudySpec`: what a study asks for, read from TOML and checked whole before any work."""

from __future__ import annotations

import itertools
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from topograph.checks import check_integer
from topograph.constructions import get_construction
from topograph.errors import SpecError, TopographError, UnknownNameError
from topograph.metrics.registry import select_metrics
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import available_datasets
from trainers.registry import available_trainers
from trainers.study.variants import PLAIN, Variant

_GRID_KEYS = (
    "datasets",
    "trainers",
    "architectures",
    "constructions",
    "variants",
    "degrees",
    "densities",
    "topology_seeds",
    "training_seeds",
)
DEFAULT_METRICS = ("sizes", "degrees", "structure", "spectral", "ramanujan")


@dataclass(frozen=True)
class Recipe:
    """How to make one topology: small enough to send anywhere, and always the same topology.

    Parameters
    ----------
    construction
        Name of the construction of every layer pair.
    sizes
        Numbers of neurons.
    degrees
        One for each layer pair; None for ``dense``.
    seed
        Of the topology.
    variant
        What is done to it then.
    """

    construction: str
    sizes: tuple[int, ...]
    degrees: tuple[float, ...] | None
    seed: int
    variant: Variant = PLAIN

    def build(self) -> Topology:
        """Make the topology."""
        plain = Topology.build(self.construction, self.sizes, self.degrees, seed=self.seed)
        return self.variant.apply(plain, self.seed)


@dataclass(frozen=True)
class StudySpec:
    """A grid of runs: every combination of what is listed.

    Parameters
    ----------
    name
        What the study is called.
    question
        What it is to find out, for the report.
    datasets, trainers
        Names.
    architectures
        Numbers of neurons of each network.
    constructions
        Names; ``dense`` has no degree and is taken once an architecture.
    variants
        What is done to each topology: see `trainers.study.variants.Variant`. ``dense`` is taken plain only.
    degrees
        For each network, one degree a layer pair, or one for all.
    densities
        Instead of or besides degrees: the share of connections wanted, one a layer pair, or one for all.
    topology_seeds, training_seeds
        Topologies drawn for each point of the grid, and trainings of each.
    training
        Settings of every run, see `trainers.TrainingConfig`; the seed is the training seed.
    metrics
        Metrics or groups measured of every topology.

    Examples
    --------
    >>> spec = StudySpec.from_mapping(
    ...     {
    ...         "name": "tiny",
    ...         "grid": {"datasets": "digits", "architectures": [64, 16, 10], "degrees": [2, 4],
    ...                  "constructions": ["regular_rotating", "dense"]},
    ...         "training": {"epochs": 2},
    ...     }
    ... )
    >>> [recipe.degrees for recipe in spec.recipes()]
    [(2, 2), (4, 4), None]
    """

    name: str
    question: str
    datasets: tuple[str, ...]
    trainers: tuple[str, ...]
    architectures: tuple[tuple[int, ...], ...]
    constructions: tuple[str, ...]
    degrees: tuple[tuple[float, ...] | float, ...]
    densities: tuple[tuple[float, ...] | float, ...]
    topology_seeds: tuple[int, ...]
    training_seeds: tuple[int, ...]
    training: TrainingConfig
    metrics: tuple[str, ...] = field(default=DEFAULT_METRICS)
    variants: tuple[Variant, ...] = (PLAIN,)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> StudySpec:
        """Read a TOML file.

        Raises
        ------
        SpecError
            When it is missing, no TOML, or asks for what does not exist; the message names file, key and remedy.
        """
        source = Path(path)
        try:
            with source.open("rb") as file:
                content = tomllib.load(file)
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{source}: cannot be read: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"{source}: not valid TOML: {error}") from error
        content.setdefault("name", source.stem)
        try:
            return cls.from_mapping(content)
        except SpecError as error:
            raise SpecError(f"{source}: {error}") from error

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> StudySpec:
        """Read the same content from a dictionary.

        Raises
        ------
        SpecError
            When a key is unknown or missing, or a value is not allowed.
        """
        _known("the study", content, ("name", "question", "grid", "training", "metrics"))
        grid = content.get("grid")
        if not isinstance(grid, Mapping):
            raise SpecError("needs a table [grid] that lists what to combine")
        _known("[grid]", grid, _GRID_KEYS)
        training = content.get("training", {})
        if not isinstance(training, Mapping):
            raise SpecError("training must be a table of settings")
        if "seed" in training:
            raise SpecError("[training] seed: list seeds as training_seeds in [grid]")
        try:
            config = TrainingConfig.from_record(training)
        except TopographError as error:
            raise SpecError(f"[training] {error}") from error
        degrees, densities = (_per_network(grid, key) for key in ("degrees", "densities"))
        spec = cls(
            name=str(content.get("name", "study")),
            question=str(content.get("question", "")),
            datasets=_names(grid, "datasets", ["digits"]),
            trainers=_names(grid, "trainers", ["numpy"]),
            architectures=_architectures(grid),
            constructions=_names(grid, "constructions", None),
            degrees=degrees,
            densities=densities,
            topology_seeds=_seeds(grid, "topology_seeds"),
            training_seeds=_seeds(grid, "training_seeds"),
            training=config,
            metrics=_names(content, "metrics", list(DEFAULT_METRICS)),
            variants=tuple(dict.fromkeys(Variant.from_spec(entry) for entry in _listed(grid, "variants", ["plain"]))),
        )
        spec._check()
        return spec

    def recipes(self) -> Iterator[Recipe]:
        """Every topology of the grid, each once for each topology seed."""
        for sizes, construction in itertools.product(self.architectures, self.constructions):
            variants = (PLAIN,) if construction == "dense" else self.variants
            for degrees, variant in itertools.product(self._degrees_of(construction, sizes), variants):
                drawn = variant.random or get_construction(construction).random
                for seed in self.topology_seeds if drawn else self.topology_seeds[:1]:
                    yield Recipe(construction, sizes, degrees, seed, variant)

    def _degrees_of(self, construction: str, sizes: tuple[int, ...]) -> list[tuple[float, ...] | None]:
        if construction == "dense":
            return [None]
        pairs = len(sizes) - 1
        wanted: list[tuple[float, ...] | None] = [
            degree if isinstance(degree, tuple) else (degree,) * pairs for degree in self.degrees
        ]
        for density in self.densities:
            shares = density if isinstance(density, tuple) else (density,) * pairs
            exact = tuple(share * size for share, size in zip(shares, sizes[1:], strict=False))
            real = get_construction(construction).real_degree
            wanted.append(exact if real else tuple(float(max(1, round(degree))) for degree in exact))
        return wanted

    def _check(self) -> None:
        """Refuse names and combinations that do not exist, before any work."""
        for name in self.constructions:
            _exists("constructions", lambda name=name: get_construction(name))
        _exists("metrics", lambda: select_metrics(self.metrics))
        for key, names, known in (
            ("trainers", self.trainers, available_trainers()),
            ("datasets", self.datasets, available_datasets()),
        ):
            for name in names:
                if name not in known and not (key == "datasets" and name.endswith(".npz")):
                    raise SpecError(f"[grid] {key}: {UnknownNameError.among(key[:-1], name, known)}")
        if not (self.degrees or self.densities) and set(self.constructions) != {"dense"}:
            raise SpecError("[grid] needs degrees or densities")
        for density in self.densities:
            for share in density if isinstance(density, tuple) else (density,):
                if not 0 < share <= 1:
                    raise SpecError(f"[grid] densities must be in (0, 1], but got {share}")
        for recipe in self.recipes():
            widths = recipe.sizes[1:]
            if recipe.degrees is None:
                continue
            if len(recipe.degrees) != len(widths):
                raise SpecError(
                    f"[grid] architecture {list(recipe.sizes)} has {len(widths)} layer pairs, but degrees or densities "
                    f"name {len(recipe.degrees)}: {list(recipe.degrees)}"
                )
            for degree, width in zip(recipe.degrees, widths, strict=True):
                if not 0 < degree <= width or (
                    degree != int(degree) and not get_construction(recipe.construction).real_degree
                ):
                    raise SpecError(
                        f"[grid] degree {degree:g} does not fit {recipe.construction} in architecture "
                        f"{list(recipe.sizes)}: need 1 to {width}, a whole number unless the construction takes others"
                    )


def _known(where: str, content: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in content:
        if key not in keys:
            raise SpecError(f"{where}: {UnknownNameError.among('key', key, keys)}")


def _exists(key: str, look_up: Any) -> None:
    try:
        look_up()
    except TopographError as error:
        raise SpecError(f"{key}: {error}") from error


def _listed(content: Mapping[str, Any], key: str, default: list[Any] | None) -> list[Any]:
    value = content.get(key, default)
    if value is None:
        raise SpecError(f"needs {key}")
    values = value if isinstance(value, list) else [value]
    if not values:
        raise SpecError(f"{key} must not be empty")
    return values


def _names(content: Mapping[str, Any], key: str, default: list[str] | None) -> tuple[str, ...]:
    values = _listed(content, key, default)
    if not all(isinstance(value, str) for value in values):
        raise SpecError(f"{key} must be names, but got {values!r}")
    return tuple(dict.fromkeys(values))


def _seeds(grid: Mapping[str, Any], key: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(check_integer(key, value, low=0) for value in _listed(grid, key, [0])))
    except TopographError as error:
        raise SpecError(f"[grid] {error}") from error


def _architectures(grid: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    values = _listed(grid, "architectures", None)
    nested = values if isinstance(values[0], list) else [values]
    try:
        result = tuple(tuple(check_integer("size", size, low=1) for size in sizes) for sizes in nested)
    except (TopographError, TypeError) as error:
        raise SpecError(f"[grid] architectures must be lists of layer sizes: {error}") from error
    if any(len(sizes) < 2 for sizes in result):
        raise SpecError(f"[grid] an architecture has at least two sizes, but got {[list(sizes) for sizes in result]}")
    return tuple(dict.fromkeys(result))


def _per_network(grid: Mapping[str, Any], key: str) -> tuple[tuple[float, ...] | float, ...]:
    """A list whose entries are a number, for all layer pairs, or a list with one for each."""
    if key not in grid:
        return ()
    result: list[tuple[float, ...] | float] = []
    for entry in _listed(grid, key, None):
        numbers = entry if isinstance(entry, list) else [entry]
        if not numbers or not all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
            raise SpecError(f"[grid] {key} must hold numbers or lists of numbers, but got {entry!r}")
        result.append(tuple(numbers) if isinstance(entry, list) else entry)
    return tuple(dict.fromkeys(result))
