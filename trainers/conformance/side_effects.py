"""Checks that a training leaves no trace but its result."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainers.conformance.session import Mismatch, Session, small_task


def inputs_untouched(session: Session) -> Iterator[Mismatch]:
    """The arrays of the topology and of the data set, and NumPy's global generator, are as before."""
    task, data = small_task(), small_task().dataset
    names = ("x_train", "y_train", "x_test", "y_test")
    for name in names:  # arrays over bytes cannot be made writable, not even to be restored afterwards
        array = getattr(task.dataset, name)
        object.__setattr__(task.dataset, name, np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape))
    before = {name: getattr(task.dataset, name).copy() for name in names}
    graphs = [(graph.indptr.copy(), graph.indices.copy()) for graph in task.topology]
    config = session.config()
    settings = config.to_record()
    # NumPy's legacy global state is set to a known one, so that a trainer that resets it to its own is noticed
    before_all = np.random.get_state()  # noqa: NPY002
    np.random.seed(271828)  # noqa: NPY002
    try:
        drawn = np.random.get_state()  # noqa: NPY002
        session.trainer.train(task.topology, task.dataset, config)
        now = np.random.get_state()  # noqa: NPY002
    finally:
        np.random.set_state(before_all)  # noqa: NPY002
    for name in names:
        array = getattr(task.dataset, name)
        if array.shape != before[name].shape or (array != before[name]).any():
            yield f"{name} as it was", "changed"
        if array.flags.writeable != getattr(data, name).flags.writeable:
            yield f"{name} read-only, as it was", "made writable"
    for number, (graph, (indptr, indices)) in enumerate(zip(task.topology, graphs, strict=True), start=1):
        if (graph.indptr != indptr).any() or (graph.indices != indices).any():
            yield f"layer {number} as it was", "changed"
    if config.to_record() != settings:
        yield "the config as it was", "changed"
    if any(not np.array_equal(a, b) for a, b in zip(drawn, now, strict=True)):
        yield "NumPy's global random state as it was", "changed"
