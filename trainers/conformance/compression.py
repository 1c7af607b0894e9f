"""Layers that are compressed: the matrices of a trainer's results belong to their form, within their budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from topograph.topology import Topology
from trainers.compression.budget import compressed_parameters, written_out
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
