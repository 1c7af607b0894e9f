"""trainers: networks trained on a fixed topology, by interchangeable backends.

>>> import topograph as tg
>>> from trainers import TrainingConfig, get_trainer, load_dataset
>>> topology = tg.Topology.build("random_regular", sizes=[64, 32, 10], degrees=[8, 10], seed=0)
>>> config = TrainingConfig.paper(epochs=20, learning_rate=1.0, seed=0)
>>> result = get_trainer("numpy").train(topology, load_dataset("digits"), config)
>>> 0.8 < result.test_accuracy <= 1.0
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainers.datasets import Dataset, load_dataset
from trainers.models import ModelSpec
from trainers.protocol import ModelTrainer, MultiTrainer, Trainer, TrainingConfig, TrainingResult
from trainers.registry import available_trainers, describe_trainers, get_trainer

if TYPE_CHECKING:
    from trainers.numpy_sparse.classifier import SparseMLPClassifier
    from trainers.numpy_sparse.regressor import SparseMLPRegressor

__all__ = [
    "Dataset",
    "ModelSpec",
    "ModelTrainer",
    "MultiTrainer",
    "SparseMLPClassifier",
    "SparseMLPRegressor",
    "Trainer",
    "TrainingConfig",
    "TrainingResult",
    "available_trainers",
    "describe_trainers",
    "get_trainer",
    "load_dataset",
]


def __getattr__(name: str) -> Any:
    if name == "SparseMLPClassifier":  # scikit-learn is imported with it, and only then
        from trainers.numpy_sparse.classifier import SparseMLPClassifier

        return SparseMLPClassifier
    if name == "SparseMLPRegressor":
        from trainers.numpy_sparse.regressor import SparseMLPRegressor

        return SparseMLPRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
