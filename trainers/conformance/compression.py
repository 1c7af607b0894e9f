"""Layers that are compressed: the matrices of a trainer's results belong to their form, within their budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from topograph.errors import BudgetError, UnsupportedSettingError
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology
from trainers.compression.budget import compressed_parameters, written_out
from trainers.conformance.models import ModelSession, on_models
from trainers.conformance.session import Mismatch, Session, Task, make_data

_FORMS = ("low_rank", "circulant", "hashed", "tensor_train")


def compression(session: Session) -> Iterator[Mismatch]:
    """Every form that it offers, with momentum: full matrices of this form, and as many parameters as it has."""
    topology = Topology.build("biregular_random", [8, 6, 4], [3, 2], seed=1)
    task = Task(topology, make_data(27, 8, 4, seed=3))
    for name in _FORMS:
        settings = {"compression": name, "epochs": 3}
        if not session.offers(**settings):
            continue
        result, start = session.train(task, **settings), f"compression={name!r}: "
        counts = compressed_parameters(topology, name)
        if tuple(result.n_parameters) != counts:
            yield f"{start}n_parameters {counts}", f"{result.n_parameters}"
            continue
        if result.topology != written_out(topology):
            yield f"{start}the topology of all pairs of neurons", f"{result.topology!r}"
            continue
        if session.train(task, **settings).history != result.history:
            yield f"{start}the same course from the same seed", "another one"
        for number, (layer, count) in enumerate(zip(result.weights, counts, strict=True), start=1):
            yield from _of_form(name, layer.toarray(), count, f"{start}layer {number} with ")


@on_models
def compressed_models(models: ModelSession) -> Iterator[Mismatch]:
    """Every form that it offers for models: linear layers of this form within their masks' edges; other masks hold."""
    for task in models.tasks:
        for name in _FORMS:
            start = f"{task.spec.label}, compression={name!r}: "
            try:
                result = models.train(task, compression=name)
            except (UnsupportedSettingError, BudgetError):
                continue
            if models.train(task, compression=name).history != result.history:
                yield f"{start}the same course from the same seed", "another one"
            if not isinstance(result.topology, MaskSet) or list(result.topology) != list(task.masks):
                yield f"{start}masks of the layers {list(task.masks)}", f"{result.topology!r}"
                continue
            if len(result.n_parameters) != len(task.masks):
                yield f"{start}n_parameters of {len(task.masks)} layers", f"{result.n_parameters}"
                continue
            compressed = 0
            layers = zip(task.masks.items(), result.weights, result.n_parameters, strict=True)
            for (layer, mask), weights, count in layers:
                end = result.topology[layer]
                if end == mask:
                    if count != mask.n_edges:
                        yield f"{start}{mask.n_edges} parameters of the mask {layer}", f"{count}"
                    continue
                compressed += 1
                if end.density != 1 or not 1 <= count <= mask.n_edges:
                    yield (
                        f"{start}all pairs of {layer} from 1 to {mask.n_edges} parameters",
                        f"density {end.density:g}, {count} parameters",
                    )
                else:
                    yield from _of_form(name, weights.toarray(), count, f"{start}{layer} with ")
            if not compressed:
                yield f"{start}compressed layers, or compression to be refused by name", "the masks as they were given"


def _of_form(name: str, matrix: np.ndarray, count: int, start: str) -> Iterator[Mismatch]:
    """Whether a matrix can be of a form with so many parameters."""
    if name in ("hashed", "circulant"):
        values = len(np.unique(np.abs(matrix)))
        if values > count:
            yield f"{start}at most {count} magnitudes", f"{values}"
    if name == "low_rank":
        values = int(np.linalg.matrix_rank(matrix.astype(float), tol=1e-4 * np.abs(matrix).max()))
        if values > count // sum(matrix.shape):
            yield f"{start}rank at most {count // sum(matrix.shape)}", f"{values}"
    if not matrix.all():
        yield f"{start}weights between all pairs of neurons", f"{np.count_nonzero(matrix == 0)} zeros"
