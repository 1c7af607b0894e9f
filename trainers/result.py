"""`TrainingResult`: the outcome of a training."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from topograph.display import html_table
from topograph.graph import BipartiteGraph
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology
from trainers.config import TrainingConfig

_STATISTICS = ("min", "max", "mean", "std")


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network and the course of its training.

    Parameters
    ----------
    trainer
        Name of the trainer.
    config
        Settings of the training.
    correct, total
        Number of test samples classified correctly, and of all test samples.
    train_accuracy
        Share of training samples classified correctly at the end, in [0, 1].
    history
        Name → one value per epoch: ``loss`` and ``train_accuracy`` as they ran during the epoch, ``test_accuracy`` at
        its end; with a validation split ``validation_loss`` and ``validation_accuracy`` too. Where edges change,
        ``turnover`` and ``l1_turnover``, …: the share of edges at its end that were none at its beginning; and
        ``l1_<metric>``, …, ``network_<metric>`` for each of ``config.rewire_metrics``. Shorter than the epochs asked
        for when training stopped early.
    weights
        One sparse array per layer, inputs × outputs, with exactly the topology's edges stored (a weight that
        happens to be 0 is stored as 0); where edges change while training, those of the last one. Of a model one per
        mask, in their order.
    biases
        One array per layer, shape ``(n_right,)``; zeros without biases. Of a model none.
    seconds
        Wall-clock time of the training, evaluation included.
    device
        Device that it ran on, such as ``"cpu"``.
    versions
        Package → version, for all packages that determine the numbers.
    balanced_accuracy
        Mean over the classes in the test set of the share of their samples classified correctly, in [0, 1]; NaN where
        it is not known. Trainers report it.
    topology
        The edges at the end of the training: those that it began with, unless they changed on the way
        (``config.rewiring``), or were replaced by compressed layers (``config.compression``), whose matrices, written
        out, have all pairs of neurons; None where it is not known, as in a result from a record of fixed edges. Of a
        model its `topograph.MaskSet`; its compressed layers have all pairs, too.
    weight_stats
        Smallest, largest, mean and standard deviation of the weights, one row per layer (the paper's figure 6);
        computed from the weights where not given. NaN for a layer without edges. Rows are ``l1``, …, or the names of
        a model's layers.
    model
        The model that was trained, with its masks on, where `ModelTrainer.train_model` did; it is in no record, and no
        pickle takes it along.
    n_parameters
        Number of weights that each layer learnt, biases left out: its edges, unless it is compressed. Empty where it is
        not known, as in a result from a record of a network that is not compressed.

    Examples
    --------
    >>> from trainers import get_trainer, load_dataset
    >>> topology = Topology.build("random_regular", [64, 12, 10], degrees=4)
    >>> result = get_trainer("numpy").train(topology, load_dataset("digits"), TrainingConfig(epochs=1))
    >>> result.weight_stats.columns.to_list()
    ['min', 'max', 'mean', 'std']
    >>> again = TrainingResult.from_record(result.to_record())
    >>> again.test_accuracy == result.test_accuracy, again.weights
    (True, ())
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
    weight_stats: pd.DataFrame = field(default_factory=pd.DataFrame)
    topology: Any = field(default=None, repr=False)
    model: Any = field(default=None, repr=False)
    n_parameters: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.weight_stats.empty:
            object.__setattr__(self, "weight_stats", _statistics(self.weights, self._layer_names))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "model": None}

    @property
    def _layer_names(self) -> list[str]:
        if isinstance(self.topology, MaskSet):
            return list(self.topology)
        return [f"l{number}" for number in range(1, len(self.weights) + 1)]

    @property
    def test_accuracy(self) -> float:
        """Share of test samples classified correctly, in [0, 1]."""
        return self.correct / self.total

    @property
    def _has_own_edges(self) -> bool:
        """Whether its edges at the end are known from the result only: rewired ones, and a compressed model's."""
        if self.config.compression != "none":
            return isinstance(self.topology, MaskSet)
        return self.config.rewiring != "none" and self.topology is not None

    @property
    def _epochs(self) -> int:
        return len(self.history.get("loss", ())) or self.config.epochs

    def to_record(self, *, weights: bool = False) -> dict[str, Any]:
        """A plain dictionary, ready for JSON: the weights by their statistics, and in full where asked for."""
        full = {
            "weights": [
                {
                    "shape": [int(size) for size in layer.shape],
                    "indptr": layer.indptr.tolist(),
                    "indices": layer.indices.tolist(),
                    "data": layer.data.tolist(),
                }
                for layer in self.weights
            ],
            "biases": [bias.tolist() for bias in self.biases],
        }
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
            **({"topology": _packed(self.topology)} if self._has_own_edges else {}),
            **({} if self.config.compression == "none" else {"n_parameters": list(map(int, self.n_parameters))}),
            **(full if weights else {}),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TrainingResult:
        """The inverse of `to_record`; without weights in the record, the result has their statistics only."""
        config = TrainingConfig.from_record(record["config"])
        balanced = record["balanced_accuracy"]
        stats = pd.DataFrame.from_dict(record["weight_stats"], orient="index", columns=list(_STATISTICS), dtype=float)
        return cls(
            trainer=record["trainer"],
            config=config,
            correct=record["correct"],
            total=record["total"],
            train_accuracy=record["train_accuracy"],
            history={name: tuple(values) for name, values in record["history"].items()},
            weights=tuple(
                sp.csr_array(
                    (np.array(layer["data"], config.dtype), layer["indices"], layer["indptr"]), shape=layer["shape"]
                )
                for layer in record.get("weights", ())
            ),
            biases=tuple(np.array(bias, config.dtype) for bias in record.get("biases", ())),
            seconds=record["seconds"],
            device=record["device"],
            versions=dict(record["versions"]),
            balanced_accuracy=np.nan if balanced is None else balanced,
            weight_stats=stats,
            topology=_unpacked(record["topology"]) if "topology" in record else None,
            n_parameters=tuple(record.get("n_parameters", ())),
        )

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


def sparse_weights(
    topology: Topology | MaskSet, values: Sequence[npt.NDArray[np.floating[Any]]]
) -> tuple[sp.csr_array, ...]:
    """Weights of the edges, in the order of ``graph.edges()``, as the arrays that a result holds.

    Examples
    --------
    >>> topology = Topology.build("regular_rotating", [3, 2], degrees=1)
    >>> sparse_weights(topology, [np.array([1.0, 2.0, 3.0])])[0].toarray()
    array([[1., 0.],
           [0., 2.],
           [3., 0.]])
    """
    return tuple(
        sp.csr_array((values, graph.indices, graph.indptr), shape=graph.shape)
        for graph, values in zip(_graphs(topology), values, strict=True)
    )


def _graphs(topology: Topology | MaskSet) -> Iterable[BipartiteGraph]:
    return topology.values() if isinstance(topology, MaskSet) else topology


def _packed(topology: Topology | MaskSet | None) -> list[dict[str, Any]]:
    """The edges of each layer as text: index arrays of 32 or 64 bits, compressed; with its name where it has one."""
    assert topology is not None
    names = list(topology) if isinstance(topology, MaskSet) else []
    return [
        {
            **({"name": names[number]} if names else {}),
            "shape": list(graph.shape),
            "dtype": graph.indices.dtype.str,
            "edges": base64.b64encode(
                zlib.compress(graph.indptr.astype(graph.indices.dtype).tobytes() + graph.indices.tobytes())
            ).decode(),
        }
        for number, graph in enumerate(_graphs(topology))
    ]


def _unpacked(layers: Sequence[Mapping[str, Any]]) -> Topology | MaskSet:
    graphs = []
    for layer in layers:
        (n, m), numbers = layer["shape"], zlib.decompress(base64.b64decode(layer["edges"]))
        arrays = np.frombuffer(numbers, dtype=layer["dtype"])
        graphs.append(BipartiteGraph(n, m, arrays[: n + 1], arrays[n + 1 :]))
    names = [layer["name"] for layer in layers if "name" in layer]
    return MaskSet(dict(zip(names, graphs, strict=True))) if names else Topology(graphs)


def balanced_accuracy(predicted: npt.NDArray[np.integer[Any]], labels: npt.NDArray[np.integer[Any]]) -> float:
    """Mean over the classes that occur of the share of their samples that are predicted correctly.

    Examples
    --------
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 2]))
    0.5
    """
    occurring = np.bincount(labels)
    hits = np.bincount(labels[predicted == labels], minlength=len(occurring))
    return float(np.mean(hits[occurring > 0] / occurring[occurring > 0]))


def _statistics(weights: Sequence[sp.csr_array], names: Sequence[str]) -> pd.DataFrame:
    rows = {}
    for name, layer in zip(names, weights, strict=True):
        data = np.asarray(layer.data, dtype=np.float64)
        values = (data.min(), data.max(), data.mean(), data.std()) if data.size else (np.nan,) * 4
        rows[name] = dict(zip(_STATISTICS, map(float, values), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(_STATISTICS), dtype=float)
