"""`construct` and the registry of constructions behind it.

An entry point of the group ``topograph.constructions`` names a `Construction`, a sequence of them, or a module or
package that holds them. Ours is one of these, the package `topograph.constructions.families`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.checks import (
    Seed,
    check_at_most_one,
    check_choice,
    check_density,
    check_generator,
    check_integer,
    check_real,
)
from topograph.constructions.guarantees import Guarantee
from topograph.constructions.rows import mix_rows
from topograph.errors import InvalidParameterError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.plugins import named_plugins

if TYPE_CHECKING:
    import pandas as pd

GROUP = "topograph.constructions"
SIZED_BY = {
    "rows": "a whole degree for each input; any number of edges, by rows whose degrees differ by one",
    "total": "any number of edges, exactly",
    "fixed": "only certain sizes and degrees, exactly; the error names the nearest",
    "expected": "the number of edges is random, and its expectation is given",
}
"""How the number of edges of a construction can be chosen."""

Rule = Callable[..., BipartiteGraph]
Example = tuple[int, int, Mapping[str, Any]]
"""Sizes that a construction can make, with the keyword arguments of `construct`: ``(n_left, n_right, options)``."""


@dataclass(frozen=True)
class Connected:
    """A condition on sizes and degree under which every graph of a construction is connected.

    Parameters
    ----------
    when
        In words, such as ``"k ≥ 2 and n + k > m"``.
    holds
        The same as a function of ``(n_left, n_right, degree)``.
    """

    when: str
    holds: Callable[[int, int, float], bool]


@dataclass(frozen=True)
class Construction:
    """A seeded rule that makes a bipartite graph, and what it promises.

    Parameters
    ----------
    name
        The name it is looked up by.
    rule
        ``rule(n_left, n_right, degree, generator, **options)``; it may rely on checked arguments.
    summary
        In words: the outputs of input i.
    guarantees
        What holds for every graph it makes: a `Guarantee` is a sentence and a check, such as
        `topograph.constructions.guarantees.LEFT_REGULAR`. The tests check them on many graphs of every construction.
    reference
        Where it comes from.
    random
        Whether the seed matters.
    sized_by
        How its number of edges can be chosen: a key of `SIZED_BY`. All but ``"rows"`` take a fractional (mean) degree.
    implied_degree
        Whether the degree may be left out, because sizes and options determine it; the rule then gets None.
    connected
        When its graphs are certainly connected; None when nothing is promised.
    examples
        Sizes and options that it can make. The tests build them; where ``sized_by`` is ``"fixed"`` they try nothing
        else, so at least one is needed.
    """

    name: str
    rule: Rule
    _: KW_ONLY
    summary: str
    guarantees: tuple[Guarantee, ...]
    reference: str
    random: bool = False
    sized_by: str = "rows"
    implied_degree: bool = False
    connected: Connected | None = None
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        check_choice("sized_by", self.sized_by, SIZED_BY)
        if self.sized_by == "fixed" and not self.examples:
            raise InvalidParameterError(
                f"the construction {self.name!r} makes only certain sizes, so it needs examples= of sizes it can make, "
                'such as examples=((8, 8, {"degree": 2}),)'
            )

    @property
    def real_degree(self) -> bool:
        """Whether the degree is a mean, and may be fractional."""
        return self.sized_by != "rows"

    @property
    def parameters(self) -> dict[str, Any]:
        """The options it takes besides sizes, degree and seed, with their defaults."""
        options = list(inspect.signature(self.rule).parameters.values())[4:]
        return {parameter.name: parameter.default for parameter in options}

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the `parameters`."""
        return tuple(self.parameters)

    def build(
        self, n_left: int, n_right: int, degree: float | None, generator: np.random.Generator, **options: Any
    ) -> BipartiteGraph:
        """Check the arguments and make the graph."""
        n_left = check_integer("n_left", n_left, low=1)
        n_right = check_integer("n_right", n_right, low=1)
        for option in options:
            if option not in self.options:
                raise UnknownNameError.among(f"option of {self.name}", option, self.options)
        if degree is None:
            if not self.implied_degree:
                raise InvalidParameterError(
                    f"{self.name} needs degree= (1 to {n_right}), density= (0 to 1) or edges= (1 to {n_left * n_right})"
                )
        elif self.sized_by == "rows":
            degree = check_integer("degree", degree, low=1, high=n_right)
        else:
            degree = check_real("degree", degree, low=0, high=n_right)
            if self.sized_by == "fixed" and abs(degree - round(degree)) < 1e-9 * n_right:
                degree = round(degree)  # 0.07 · 300 is not quite 21
        return self.rule(n_left, n_right, degree, generator, **options)

    def build_edges(
        self, n_left: int, n_right: int, edges: int, generator: np.random.Generator, **options: Any
    ) -> BipartiteGraph:
        """Make the graph with exactly as many ``edges``.

        A construction with whole degrees is mixed from its graphs of degree k and k + 1, drawn from the same state of
        the generator: the inputs that get one more are spread evenly over the layer.
        """
        n_left = check_integer("n_left", n_left, low=1)
        n_right = check_integer("n_right", n_right, low=1)
        edges = check_integer("edges", edges, low=1, high=n_left * n_right)
        if self.sized_by == "expected":
            raise InvalidParameterError(
                f"{self.name} has a random number of edges, so edges={edges} cannot be promised; "
                "use erdos_renyi for an exact number, or give degree= or density="
            )
        if self.sized_by != "rows":
            graph = self.build(n_left, n_right, edges / n_left, generator, **options)
            if graph.n_edges != edges:
                raise InvalidParameterError(
                    f"{self.name} at {n_left} × {n_right} cannot have edges={edges}; the nearest is {graph.n_edges}"
                )
            return graph
        degree, more = divmod(edges, n_left)
        if not more:
            return self.build(n_left, n_right, degree, generator, **options)
        upper = self.build(n_left, n_right, degree + 1, copy.deepcopy(generator), **options)
        lower = self.build(n_left, n_right, degree, generator, **options) if degree else None
        return mix_rows(lower, upper, more)


def construction(
    name: str,
    *,
    summary: str,
    guarantees: tuple[Guarantee, ...],
    reference: str,
    random: bool = False,
    sized_by: str = "rows",
    implied_degree: bool = False,
    connected: Connected | None = None,
    examples: tuple[Example, ...] = (),
) -> Callable[[Rule], Construction]:
    """Turn a rule into a `Construction`, ready for the entry-point group ``topograph.constructions``."""

    def wrap(rule: Rule) -> Construction:
        return Construction(
            name,
            rule,
            summary=summary,
            guarantees=guarantees,
            reference=reference,
            random=random,
            sized_by=sized_by,
            implied_degree=implied_degree,
            connected=connected,
            examples=examples,
        )

    return wrap


def available_constructions() -> tuple[str, ...]:
    """Names of all registered constructions, built-in or plugged in.

    Examples
    --------
    >>> "fibonacci_rotating" in available_constructions()
    True
    """
    return tuple(sorted(named_plugins(GROUP, Construction)))


def describe_constructions() -> pd.DataFrame:
    """What each registered construction does and promises: one row per construction, indexed by name.

    Columns: ``summary`` (the outputs of input i), ``parameters`` (options with their defaults), ``sized_by`` (see
    `SIZED_BY`), ``random``, ``guarantees``, ``connected`` (for which sizes and degrees; empty when nothing is
    promised), ``reference``.

    Examples
    --------
    >>> describe_constructions().loc["regular_rotating", "connected"]
    'k ≥ 2 and n + k > m'
    """
    import pandas as pd

    rows = {
        rule.name: {
            "summary": rule.summary,
            "parameters": ", ".join(f"{name}={value!r}" for name, value in rule.parameters.items()),
            "sized_by": rule.sized_by,
            "random": rule.random,
            "guarantees": "; ".join(guarantee.text for guarantee in rule.guarantees),
            "connected": rule.connected.when if rule.connected else "",
            "reference": rule.reference,
        }
        for rule in (get_construction(name) for name in available_constructions())
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("construction")


def get_construction(name: str | Construction) -> Construction:
    """Look a construction up by name; a `Construction` passes through.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message lists those there are.
    """
    if isinstance(name, Construction):
        return name
    constructions = named_plugins(GROUP, Construction)
    if name not in constructions:
        raise UnknownNameError.among("construction", name, constructions)
    rule: Construction = constructions[name]
    return rule


def construct(
    name: str | Construction,
    n_left: int,
    n_right: int,
    *,
    degree: float | None = None,
    density: float | None = None,
    sparsity: float | None = None,
    edges: int | None = None,
    seed: Seed = 0,
    **options: Any,
) -> BipartiteGraph:
    """Make the graph of one layer.

    Parameters
    ----------
    name
        A construction: `available_constructions` lists them, `describe_constructions` explains them.
    n_left, n_right
        Numbers of inputs and outputs.
    degree
        Outputs of each input, in 1 … n_right (mean number, and any real in [0, n_right], where the construction
        controls the total).
    density
        Instead of the degree: the share of edges wanted, in (0, 1]. The degree is density · n_right, rounded
        to a whole number of at least 1 where the construction needs one; the graph's own ``density`` is exact.
    sparsity
        Instead of the density: 1 − density, in [0, 1).
    edges
        Instead of the degree: the exact number of edges. Where the construction needs a whole degree, some
        inputs, evenly spread, get one edge more than the others.
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
    >>> construct("fibonacci_rotating", 784, 300, edges=23600).n_edges
    23600
    """
    rule = get_construction(name)
    n_right = check_integer("n_right", n_right, low=1)
    check_at_most_one(degree=degree, density=density, sparsity=sparsity, edges=edges)
    density = check_density(density, sparsity)
    generator = check_generator(seed)
    if edges is not None:
        return rule.build_edges(n_left, n_right, edges, generator, **options)
    if density is not None:
        degree = density * n_right
        if rule.sized_by == "rows":
            degree = max(1, round(degree))
    return rule.build(n_left, n_right, degree, generator, **options)
