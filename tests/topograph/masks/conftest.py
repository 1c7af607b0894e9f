"""One small network, in every format."""

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # must be said before Keras is first imported


@pytest.fixture(scope="session")
def kernels():
    """Weights of a small convolutional network with one gated layer, inputs × outputs: 30 % are not zero."""
    random = np.random.default_rng(0)

    def sparse(*shape):
        values = np.round(random.normal(size=shape), 2)
        return np.where(random.random(shape) < 0.3, values, 0).astype(np.float32)

    return {
        "conv": sparse(3, 3, 2, 4),  # taps × inputs × outputs
        "grouped": sparse(2, 2, 2, 6),  # of 2 groups
        "fc1": sparse(12, 8),
        "fc2": sparse(8, 5),
    }
