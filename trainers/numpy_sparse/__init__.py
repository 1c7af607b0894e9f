"""The sparse NumPy backend: time and memory in proportion to the edges."""

from trainers.numpy_sparse.trainer import NumpyTrainer

__all__ = ["NumpyTrainer"]
