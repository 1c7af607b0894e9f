"""`check_pruner`: a pruner against its contract, and against the formula of the method whose name it has, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from topograph.errors import ConformanceError, TopographError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.conformance.reference import Array, DenseMasked
from trainers.datasets import Dataset
from trainers.pruning.pruner import Pruner, get_pruner
from trainers.pruning.pruning import prune

_SIZES = (7, 9, 6, 4)
_CONFIG = TrainingConfig(
    dtype="float64", activation="tanh", output_activation="softmax", loss="cross_entropy", seed=2, epochs=2,
    batch_size=8, learning_rate=0.3, initial_draws="dense",
)  # fmt: skip
_FEW = 40


def check_pruner(pruner: str | Pruner) -> tuple[str, ...]:
    """Hold a pruner to its contract on a small chain; returns the names of the checks that it passed.

    ``budget``: exactly as many edges as asked for, at several densities. ``seed``: the same seed, the same edges.
    ``untouched``: NumPy's global random state stays. ``formula``: for ``magnitude``, ``snip``, ``grasp``, ``synflow``
    and ``phew``, the edges are those of the method's formula, computed in NumPy; for others it is left out.

    Raises
    ------
    ConformanceError
        With the name of each check that failed, and what came.

    Examples
    --------
    >>> check_pruner("magnitude")
    ('budget', 'seed', 'untouched', 'formula')
    """
    pruner = get_pruner(pruner)
    labels = np.arange(_FEW) % _SIZES[-1]
    x = np.random.default_rng(4).random((_FEW, _SIZES[0]), dtype=np.float32)
    data = Dataset("conformance", x, labels, x, labels)
    checks: dict[str, Callable[[Pruner, Dataset], Iterator[str]]] = {
        "budget": _budget, "seed": _seed, "untouched": _untouched
    }  # fmt: skip
    if pruner.name in _FORMULAS:
        checks["formula"] = _FORMULAS[pruner.name]
    failures = []
    for name, check in checks.items():
        try:
            failures += [f"{name}: {came}" for came in check(pruner, data)]
        except TopographError as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    if failures:
        raise ConformanceError(f"the pruner {pruner.name!r} breaks its contract: {'; '.join(failures)}")
    return tuple(checks)


def _global_state() -> Array:
    state: Any = np.random.get_state()  # noqa: NPY002
    return np.array(state[1])


def _masks(pruner: Pruner, data: Dataset, edges: int, seed: int = 0, **options: Any) -> list[Array]:
    dense = Topology.build("dense", _SIZES)
    given: dict[str, Any] = {"per_class": _FEW} if "per_class" in pruner.options else {}
    scope = "global" if "global" in pruner.scopes else None
    masks = prune(pruner, dense, data, edges=edges, seed=seed, config=_CONFIG, scope=scope, **given, **options)
    return [graph.to_mask() for graph in masks.values()]


def _budget(pruner: Pruner, data: Dataset) -> Iterator[str]:
    for edges in (8, 40, 100):
        kept = sum(int(mask.sum()) for mask in _masks(pruner, data, edges))
        if kept != edges:
            yield f"{kept} edges, but {edges} were asked for"


def _seed(pruner: Pruner, data: Dataset) -> Iterator[str]:
    if not _equal(_masks(pruner, data, 40, 1), _masks(pruner, data, 40, 1)):
        yield "the same seed gave other edges"


def _untouched(pruner: Pruner, data: Dataset) -> Iterator[str]:
    before = _global_state()
    _masks(pruner, data, 40)
    if not np.array_equal(before, _global_state()):
        yield "NumPy's global random state was changed"


# ---------------------------------------------------------------------- the formulas


def _network() -> DenseMasked:
    return DenseMasked(Topology.build("dense", _SIZES), _CONFIG)


def _top(scores: list[Array], edges: int) -> list[Array]:
    flat = np.concatenate([values.ravel() for values in scores])
    keep = np.zeros(len(flat), bool)
    keep[np.argsort(-flat, kind="stable")[:edges]] = True
    ends = np.cumsum([values.size for values in scores])[:-1]
    return [part.reshape(values.shape) for part, values in zip(np.split(keep, ends), scores, strict=True)]


def _equal(masks: list[Array], others: list[Array]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(masks, others, strict=True))


def _compared(pruner: Pruner, data: Dataset, scores: list[Array], words: str) -> Iterator[str]:
    wanted, came = _top(scores, 60), _masks(pruner, data, 60)
    away = sum(int(np.count_nonzero(a != b)) for a, b in zip(wanted, came, strict=True)) // 2
    if away:
        yield f"{away} of 60 edges are not those of largest {words}"


def _magnitude(pruner: Pruner, data: Dataset) -> Iterator[str]:
    yield from _compared(pruner, data, [np.abs(w) for w in _network().weights], "|θ|")


def _snip(pruner: Pruner, data: Dataset) -> Iterator[str]:
    network = _network()
    _, gradients, _ = network.loss(data.x_train, data.y_train)
    scores = [np.abs(w * g) for w, g in zip(network.weights, gradients, strict=True)]
    yield from _compared(pruner, data, scores, "|θ · g| at the initial weights")


def _grasp(pruner: Pruner, data: Dataset) -> Iterator[str]:
    """H g by the difference of two gradients along g, of outputs divided by 200."""
    network = _network()
    weights = [w.copy() for w in network.weights]

    def gradients(point: list[Array]) -> list[Array]:  # a temperature divides the last layer's outputs
        network.weights = [*point[:-1], point[-1] / 200.0]
        found = network.loss(data.x_train, data.y_train)[1]
        return [*found[:-1], found[-1] / 200.0]

    g = gradients(weights)
    step = 1e-3 / max(float(np.abs(values).max()) for values in g)
    above = gradients([w + step * d for w, d in zip(weights, g, strict=True)])
    below = gradients([w - step * d for w, d in zip(weights, g, strict=True)])
    scores = [w * (a - b) / (2 * step) for w, a, b in zip(weights, above, below, strict=True)]
    yield from _compared(pruner, data, scores, "θ · (H g)")


def _synflow(pruner: Pruner, data: Dataset) -> Iterator[str]:
    """The order of the first round is that of the path products; no layer collapses at the last possible density."""
    weights = [np.abs(w) for w in _network().weights]
    ahead, back = [np.ones(_SIZES[0])], [np.ones(_SIZES[-1])]
    for w in weights:
        ahead.append(ahead[-1] @ w)
    for w in reversed(weights):
        back.append(w @ back[-1])
    flow = [np.outer(a, b) * w for a, b, w in zip(ahead, back[-2::-1], weights, strict=False)]
    total = sum(w.size for w in weights)
    wanted, came = _top(flow, total - 1), _masks(pruner, data, total - 1)
    if not _equal(wanted, came):
        yield "the first edge to go is not that of least |θ| · ∂R/∂|θ|"
    for edges in (len(weights), 5, 8):
        fewest = min(int(mask.sum()) for mask in _masks(pruner, data, edges))
        if not fewest:
            yield f"a layer collapses at {edges} edges, where every layer can keep one"
            return


def _phew(pruner: Pruner, data: Dataset) -> Iterator[str]:
    masks = _masks(pruner, data, 12)
    reached: list[Any] = [np.ones(_SIZES[0], bool)]
    leads: list[Any] = [np.ones(_SIZES[-1], bool)]
    for mask in masks:
        reached.append((mask & reached[-1][:, None]).any(axis=0))
    for mask in reversed(masks):
        leads.insert(0, (mask & leads[0][None, :]).any(axis=1))
    loose = sum(int((mask & ~np.outer(reached[number], leads[number + 1])).sum()) for number, mask in enumerate(masks))
    if loose > len(masks):  # a part of the last walk at most
        yield f"{loose} edges lie on no walk from an input to an output"


_FORMULAS: dict[str, Callable[[Pruner, Dataset], Iterator[str]]] = {
    "magnitude": _magnitude, "snip": _snip, "grasp": _grasp, "synflow": _synflow, "phew": _phew
}  # fmt: skip
