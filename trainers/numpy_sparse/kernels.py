"""The compiled functions as the rest of the backend calls them.

They are kept as portable code, which LLVM finishes at the first call (`topograph.portable_calls`). Numba compiles them
in the other cases: float64, four billion edges, more than 65,536 inputs, or a source that has changed since. After such
a change, ``python -m trainers.numpy_sparse.kernels``, with an empty folder as ``NUMBA_CACHE_DIR``, makes the portable
code anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import topograph
from topograph.machine_code import Kernels
from topograph.portable_calls import PortableFunction, flattened

_HERE, _TOPOGRAPH = Path(__file__).parent, Path(topograph.__file__).parent
_SOURCES = ("compressing", "draws", "edges", "epochs", "flat", "neurons", "random_bits", "samples", "segments")
KERNELS = Kernels(
    _HERE / "kernels.ll.gz",
    [
        *(_HERE / f"{name}.py" for name in _SOURCES),
        *(_TOPOGRAPH / f"{name}.py" for name in ("lanes", "tiles", "seats", "turns")),
    ],
)


def _function(module: str, name: str, results: str = "") -> PortableFunction:
    return PortableFunction(KERNELS, f"trainers.numpy_sparse.{module}", name, results)


train_epoch = _function("epochs", "train_epoch", "dqq")
evaluate = _function("epochs", "evaluate", "dq")
sort_edges = _function("segments", "sort_edges")
count_nonzero = _function("compressing", "count_nonzero")
compress = _function("compressing", "compress")


def _examples() -> Iterator[tuple[PortableFunction, tuple[Any, ...]]]:
    """Each function, with arguments of each kind that portable code is made for."""
    from topograph.seats import seats
    from topograph.topology import Topology
    from trainers.config import TrainingConfig
    from trainers.numpy_sparse.draws import draws_of
    from trainers.numpy_sparse.network import SparseNetwork
    from trainers.numpy_sparse.samples import gather_samples, read_only

    topology = Topology.build("dense", [3, 2], [2])
    graph, rows = topology[0], read_only(np.zeros((4, 3), np.float32))
    samples, order = gather_samples(rows), read_only(np.arange(4))
    position, starts, other = (np.zeros(9, np.uint32) for _ in range(3))
    yield sort_edges, (graph.indptr, graph.indices, True, 1, 2, starts, other, position)
    yield count_nonzero, (rows, order.copy())
    yield compress, (rows, samples.starts, samples.features, samples.entries)
    network = SparseNetwork(topology, TrainingConfig(dropout_input=0.5))
    flat, state, work, setting, rule = network.flat, network.state, network.work, network.setting, network.rule(1.0)
    draws, seat = draws_of(np.random.default_rng(0)), seats(1)[0]
    for labels in (order, read_only(np.zeros((4, 3), np.float32))):
        yield train_epoch, (flat, state, work, setting, rule, seat, samples, labels, order, 32, 0, draws)
        yield evaluate, (flat, state, work, setting, samples, labels, order, np.zeros((4, 2), np.float32))


def write() -> None:
    """Make the portable code of the sources as they are."""
    import numba

    from topograph.portable_code import portable_code

    KERNELS.write(
        portable_code(
            {
                f"{function.name}_{flattened(arguments)[0]}": (function.compiled, tuple(map(numba.typeof, arguments)))
                for function, arguments in _examples()
            }
        )
    )


if __name__ == "__main__":
    write()
