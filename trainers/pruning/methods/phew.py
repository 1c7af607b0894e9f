"""PHEW: the edges of random walks between inputs and outputs that prefer large weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.checks import check_flag
from topograph.errors import TrainingError, UnsupportedSettingError
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.layers import PrunableLayer
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask

_WALKS = 1024  # at once, half of them from the outputs
_FRUITLESS = 200  # times without a new edge, after which nothing more is to be expected

Integers = npt.NDArray[np.int64]


def choose(task: PruningTask) -> list[Keep]:
    """Walk until there are enough edges. A last walk whose new edges would be too many is left for one that fits.

    A walk from the inputs begins at an input drawn uniformly, one from the outputs at an output; at each step it takes
    an edge with probability in proportion to |θ|.
    """
    both = check_flag("both_ends", task.options["both_ends"])
    layers = task.network.layers
    _check_sequence(task)
    weights = [np.abs(values) * among for values, among in zip(task.network.weights(), task.candidates, strict=True)]
    steps = [
        _Step.of(layer, values, units) for layer, values, units in zip(layers, weights, _units(layers), strict=True)
    ]
    firsts = np.cumsum([0, *(layer.possible for layer in layers)])
    chosen = np.zeros(firsts[-1], dtype=bool)
    wanted, count, fruitless = task.budget.edges, 0, 0
    while count < wanted:
        walks = _walks(steps, firsts, task.generator, both)
        new = 0
        for walk in walks:
            edges = walk[~chosen[walk]]
            if len(edges) and (len(edges) <= wanted - count or fruitless > _FRUITLESS // 2):
                edges = edges[: wanted - count]  # a part of a walk only where no whole one fitted for long
                chosen[edges] = True
                count, new = count + len(edges), new + len(edges)
        fruitless = 0 if new else fruitless + 1
        if fruitless > _FRUITLESS:
            raise TrainingError(
                f"walks reach {count} edges and hardly any more, but {wanted} are to stay: ask for a lower density; "
                "edges of weight 0, and those on no path, are never walked"
            )
    return np.split(chosen, firsts[1:-1])


def _check_sequence(task: PruningTask) -> None:
    layers = task.network.layers
    grouped = [layer.name for layer in layers if layer.shape[0] != 1]
    if grouped:
        raise UnsupportedSettingError(f"phew walks layers without groups, but {', '.join(grouped)} has groups")
    if not task.network.is_sequence:
        raise UnsupportedSettingError(
            "phew walks a network whose layers follow each other, but this model has branches, or cannot be traced by "
            "torch.fx to see that it has none; use another method"
        )


def _units(layers: tuple[PrunableLayer, ...]) -> list[int]:
    """Number of units that each layer reads from: the outputs of the layer before, its inputs for the first.

    Raises
    ------
    UnsupportedSettingError
        When the inputs of a layer are not a multiple of the outputs before it.
    """
    units = [layers[0].shape[1]]
    for before, after in itertools.pairwise(layers):
        if after.shape[1] % before.shape[3]:
            raise UnsupportedSettingError(
                f"phew walks from layer to layer, but {before.name} has {before.shape[3]} outputs and {after.name} "
                f"{after.shape[1]} inputs: exclude layers that are not between them, or use another method"
            )
        units.append(before.shape[3])
    return units


@dataclass(frozen=True)
class _Step:
    """Draws of an edge from a unit forwards, or from an output backwards, through one layer.

    ``ahead`` and ``back`` are running sums of the weights, sorted by unit and by output; ``order`` numbers the edges in
    the second one's order.
    """

    units: int
    outputs: int
    per_input: int
    ahead: Scores
    back: Scores
    order: Integers

    @classmethod
    def of(cls, layer: PrunableLayer, weights: Scores, units: int) -> _Step:
        _, inputs, taps, outputs = layer.shape
        table = np.arange(layer.possible).reshape(inputs * taps, outputs).T.ravel()
        return cls(
            units, outputs, inputs // units * taps * outputs,
            np.concatenate([[0.0], np.cumsum(weights)]), np.concatenate([[0.0], np.cumsum(weights[table])]), table,
        )  # fmt: skip

    def forwards(self, unit: Integers, generator: np.random.Generator) -> tuple[Integers, Integers]:
        """The edges drawn from some units, and the outputs that they lead to."""
        edge = _draw(self.ahead, unit * self.per_input, (unit + 1) * self.per_input, generator)
        return edge, np.where(edge < 0, -1, edge % self.outputs)

    def backwards(self, output: Integers, generator: np.random.Generator) -> tuple[Integers, Integers]:
        """The edges drawn into some outputs, and the units that they come from."""
        size = len(self.order) // self.outputs
        place = _draw(self.back, output * size, (output + 1) * size, generator)
        edge = np.where(place < 0, -1, self.order[place])
        return edge, np.where(edge < 0, -1, edge // self.per_input)


def _draw(sums: Scores, begin: Integers, end: Integers, generator: np.random.Generator) -> Integers:
    """A place between ``begin`` and ``end`` in proportion to the weights there; −1 where they are all 0."""
    uniform = generator.random(len(begin))
    lost = begin < 0
    begin, end = np.where(lost, 0, begin), np.where(lost, 0, end)
    low, high = sums[begin], sums[end]
    place = np.clip(np.searchsorted(sums, low + uniform * (high - low), side="right") - 1, begin, end - 1)
    return np.where(lost | (sums[place + 1] <= sums[place]), -1, place)  # rounding may end at an edge of weight 0


def _walks(steps: list[_Step], firsts: Integers, generator: np.random.Generator, both: bool) -> list[Integers]:
    """Whole walks as arrays of edges, from the inputs and from the outputs by turns; broken off ones left out."""
    half = _WALKS // 2 if both else _WALKS
    unit = generator.integers(steps[0].units, size=half)
    ahead = []
    for step, first in zip(steps, firsts, strict=False):
        edge, unit = step.forwards(unit, generator)
        ahead.append(np.where(edge < 0, -1, edge + first))
    walks = np.stack(ahead, axis=1)
    if both:
        unit = generator.integers(steps[-1].outputs, size=half)
        back = []
        for step, first in zip(reversed(steps), firsts[-2::-1], strict=True):
            edge, unit = step.backwards(unit, generator)
            back.append(np.where(edge < 0, -1, edge + first))
        walks = np.stack([walks, np.stack(back, axis=1)], axis=1).reshape(-1, len(steps))
    return list(walks[(walks >= 0).all(axis=1)])


PHEW = Pruner(
    name="phew",
    summary="The edges of random walks from the inputs and from the outputs, each step in proportion to the weights.",
    formula="walks, P(edge) ∝ |θ|",
    choose=choose,
    reference="Patil & Dovrolis (2021), PHEW: constructing sparse networks that learn fast and generalize well without "
    "training data",
    differences=(
        "Walks from both ends by turns, or from the inputs only: both_ends. In convolutions a step takes one weight of "
        "a kernel; the code can keep whole kernels instead, which is not offered since it is not exact to the edge."
    ),
    options={"both_ends": True},
    scopes=("global",),
)
