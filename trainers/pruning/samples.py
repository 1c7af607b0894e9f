"""Training samples of every class, for scores that read data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from topograph.errors import InvalidDatasetError
from trainers.datasets import Dataset


def samples_of_every_class(
    dataset: Dataset, per_class: int, generator: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Draw ``per_class`` training samples of each class without repetition, or all where a class has fewer.

    Raises
    ------
    InvalidDatasetError
        When a class has no training sample; the message names the classes.

    Examples
    --------
    >>> from trainers.datasets import load_dataset
    >>> x, y = samples_of_every_class(load_dataset("digits"), 3, np.random.default_rng(0))
    >>> x.shape, np.bincount(y).tolist()
    ((30, 64), [3, 3, 3, 3, 3, 3, 3, 3, 3, 3])
    """
    counts = np.bincount(dataset.y_train, minlength=dataset.n_classes)
    if not counts.all():
        missing = np.flatnonzero(counts == 0)
        shown = ", ".join(map(str, missing[:8])) + (" …" if len(missing) > 8 else "")
        raise InvalidDatasetError(
            f"{dataset.name}: scores are taken over samples of every class, but the training set has none of "
            f"class {shown}; leave those classes out, or number the labels without gaps"
        )
    drawn = [
        generator.choice(np.flatnonzero(dataset.y_train == label), min(per_class, int(count)), replace=False)
        for label, count in enumerate(counts)
    ]
    chosen = np.sort(np.concatenate(drawn))
    return dataset.x_train[chosen], dataset.y_train[chosen]
