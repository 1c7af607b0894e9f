"""`construct` and the registry of constructions behind it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from topograph.checks import Seed, check_generator, check_integer, check_real
from topograph.errors import InvalidParameterError, PluginError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.plugins import load_plugin, registered

GROUP = "topograph.constructions"

Rule = Callable[..., BipartiteGraph]


@dataclass(frozen=True)
class Construction:
    """A seeded rule that makes a bipartite graph, and what it promises.

    Parameters
    ----------
    name
        The name it is looked up by.
    rule
        ``rule(n_left, n_right, degree, generator, **options)``; it may rely on checked arguments.
    row
        In words: the outputs of input i.
    guarantees
        What holds for every graph it makes, such as ``"left-regular"``.
    reference
        Where it comes from.
    random
        Whether the seed matters.
    real_degree
        Whether the degree is an expected one and may be fractional.
    """

    name: str
    rule: Rule
    row: str
    guarantees: tuple[str, ...]
    reference: str
    random: bool = False
    real_degree: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options it takes besides sizes, degree and seed."""
        return tuple(inspect.signature(self.rule).parameters)[4:]

    def build(
        self, n_left: int, n_right: int, degree: float, generator: np.random.Generator, **options: Any
    ) -> BipartiteGraph:
        """Check the arguments and make the graph."""
        n_left = check_integer("n_left", n_left, low=1)
        n_right = check_integer("n_right", n_right, low=1)
        if self.real_degree:
            degree = check_real("degree", degree, low=0, high=n_right)
        else:
            degree = check_integer("degree", degree, low=1, high=n_right)
        for option in options:
            if option not in self.options:
                raise UnknownNameError.among(f"option of {self.name}", option, self.options)
        return self.rule(n_left, n_right, degree, generator, **options)


def construction(
    name: str,
    *,
    row: str,
    guarantees: tuple[str, ...],
    reference: str,
    random: bool = False,
    real_degree: bool = False,
) -> Callable[[Rule], Construction]:
    """Turn a rule into a `Construction`, ready for the entry-point group ``topograph.constructions``."""

    def wrap(rule: Rule) -> Construction:
        return Construction(name, rule, row, guarantees, reference, random, real_degree)

    return wrap


def available_constructions() -> tuple[str, ...]:
    """Names of all registered constructions, built-in or plugged in.

    Examples
    --------
    >>> "fibonacci_rotating" in available_constructions()
    True
    """
    return tuple(sorted(registered(GROUP)))


def get_construction(name: str | Construction) -> Construction:
    """Look a construction up by name; a `Construction` passes through.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message lists those there are.
    """
    if isinstance(name, Construction):
        return name
    entries = registered(GROUP)
    if name not in entries:
        raise UnknownNameError.among("construction", name, entries)
    found = load_plugin(entries[name])
    if not isinstance(found, Construction):
        raise PluginError(f"the plug-in {name!r} ({entries[name].value}) is not a Construction, but {type(found)}")
    return found


def construct(
    name: str | Construction,
    n_left: int,
    n_right: int,
    *,
    degree: float | None = None,
    density: float | None = None,
    seed: Seed = 0,
    **options: Any,
) -> BipartiteGraph:
    """Make the graph of one layer pair.

    Parameters
    ----------
    name
        A construction: `available_constructions` lists them.
    n_left, n_right
        Numbers of inputs and outputs.
    degree
        Outputs of each input, in 1 … n_right (expected number, and any real in [0, n_right], for ``random_edge``).
    density
        Instead of the degree: the share of connections wanted, in (0, 1]. The degree is density · n_right, rounded
        to a whole number of at least 1 where the construction needs one; the graph's own ``density`` is exact.
    seed
        Whole number, `numpy.random.SeedSequence` or `numpy.random.Generator`. The same seed gives the same graph.
    **options
        Further options of the construction.

    Raises
    ------
    UnknownNameError, InvalidParameterError

    Examples
    --------
    >>> construct("regular_rotating", 4, 3, degree=2).to_mask().astype(int).tolist()
    [[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    >>> construct("random_regular", 784, 300, density=0.1, seed=7).n_edges
    23520
    """
    rule = get_construction(name)
    n_right = check_integer("n_right", n_right, low=1)
    if density is not None:
        if degree is not None:
            raise InvalidParameterError(f"give degree or density, not both: got degree={degree}, density={density}")
        degree = check_real("density", density, low=0, high=1, include_low=False) * n_right
        if not rule.real_degree:
            degree = max(1, round(degree))
    elif degree is None:
        if rule.name != "dense":
            raise InvalidParameterError(f"{rule.name} needs degree= (1 to {n_right}) or density= (0 to 1)")
        degree = n_right
    return rule.build(n_left, n_right, degree, check_generator(seed), **options)
