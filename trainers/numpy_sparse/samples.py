"""`Samples`: training samples in rows, or, where most entries are 0, the entries that are not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainers.numpy_sparse.flat import Unsigned
from trainers.numpy_sparse.kernels import compress, count_nonzero


class Samples(NamedTuple):
    """Samples as rows, or, where at least half of the entries are 0, as features and entries that are not."""

    sparse: bool
    rows: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    features: Unsigned
    entries: npt.NDArray[np.float32]


def read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view: arrays that may or may not be written to are two types to numba, and compiled for twice."""
    view = values.view()
    view.flags.writeable = False
    return view


def gather_samples(x: npt.NDArray[np.float32]) -> Samples:
    """Samples in rows, as they are or, where at least half of the entries are 0, without the zeros."""
    x = read_only(x)
    counts = np.zeros(len(x), np.int64)
    count_nonzero(x, counts)
    features = np.uint16 if x.shape[1] <= 2**16 else np.uint32
    if counts.sum() > x.size / 2:
        return Samples(False, x, np.zeros(1, np.int64), np.zeros(0, features), np.zeros(0, np.float32))
    starts = np.concatenate([[0], np.cumsum(counts)])
    samples = Samples(True, x[:0], starts, np.empty(starts[-1], features), np.empty(starts[-1], np.float32))
    compress(x, samples.starts, samples.features, samples.entries)
    return samples
