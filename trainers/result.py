"""`TrainingResult`: what a training leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from topograph.graph import html_table
from trainers.config import TrainingConfig


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network and how it got there.

    Parameters
    ----------
    trainer
        Name of the trainer.
    config
        What it was asked for.
    correct, total
        Test samples classified correctly, and all of them.
    train_accuracy
        Share of training samples classified correctly at the end, in [0, 1].
    history
        Name → one value an epoch: ``loss`` and ``train_accuracy`` as they ran during the epoch, ``test_accuracy`` at
        its end; with a validation split ``validation_loss`` and ``validation_accuracy`` too. Shorter than the epochs
        asked for when training stopped early.
    weights
        One sparse array a layer pair, inputs × outputs, with exactly the topology's connections stored (a weight that
        happens to be 0 is stored as 0).
    biases
        One array a layer pair, shape ``(n_right,)``; zeros without biases.
    seconds
        Wall-clock time of the training, evaluation included.
    device
        Where it ran, such as ``"cpu"``.
    versions
        Package → version, of all that determines the numbers.
    balanced_accuracy
        Mean over the classes in the test set of the share of their samples classified correctly, in [0, 1]; NaN from a
        trainer that does not report it.
    """

    trainer: str
    config: TrainingConfig
    correct: int
    total: int
    train_accuracy: float
    history: Mapping[str, tuple[float, ...]]
    weights: tuple[sp.csr_array, ...]
    biases: tuple[npt.NDArray[np.floating[Any]], ...]
    seconds: float
    device: str
    versions: Mapping[str, str]
    balanced_accuracy: float = np.nan

    @property
    def test_accuracy(self) -> float:
        """Share of test samples classified correctly, in [0, 1]."""
        return self.correct / self.total

    @property
    def _epochs(self) -> int:
        return len(self.history.get("loss", ())) or self.config.epochs

    @cached_property
    def weight_stats(self) -> pd.DataFrame:
        """Smallest, largest, mean and standard deviation of the weights, one row a layer (the paper's figure 6)."""
        rows = {}
        for number, layer in enumerate(self.weights, start=1):
            data = np.asarray(layer.data, dtype=np.float64)
            rows[f"l{number}"] = (
                {"min": data.min(), "max": data.max(), "mean": data.mean(), "std": data.std()}
                if data.size
                else dict.fromkeys(("min", "max", "mean", "std"), np.nan)
            )
        return pd.DataFrame.from_dict(rows, orient="index")

    def to_record(self) -> dict[str, Any]:
        """All but the weights as a plain dictionary, ready for JSON; the weights by their statistics."""
        return {
            "trainer": self.trainer,
            "config": self.config.to_record(),
            "test_accuracy": self.test_accuracy,
            "balanced_accuracy": None if np.isnan(self.balanced_accuracy) else float(self.balanced_accuracy),
            "train_accuracy": float(self.train_accuracy),
            "correct": int(self.correct),
            "total": int(self.total),
            "history": {name: [float(value) for value in values] for name, values in self.history.items()},
            "weight_stats": {
                layer: {name: None if np.isnan(value) else float(value) for name, value in row.items()}
                for layer, row in self.weight_stats.to_dict(orient="index").items()
            },
            "seconds": float(self.seconds),
            "device": self.device,
            "versions": dict(self.versions),
        }

    def __repr__(self) -> str:
        return (
            f"TrainingResult({self.trainer}, test accuracy {self.test_accuracy:.4f} ({self.correct} of {self.total}), "
            f"train accuracy {self.train_accuracy:.4f}, {self._epochs} epochs in {self.seconds:.3g} s)"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("trainer", self.trainer),
            ("test accuracy", f"{self.test_accuracy:.4f} ({self.correct} of {self.total})"),
            ("train accuracy", f"{self.train_accuracy:.4f}"),
            ("epochs", str(self._epochs)),
            ("seconds", f"{self.seconds:.3g}"),
            ("device", self.device),
        ]
        return html_table("TrainingResult", rows)
