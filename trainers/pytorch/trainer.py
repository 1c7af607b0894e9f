"""`PyTorchTrainer`: the PyTorch backend behind the trainer contract."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from topograph.checks import check_choice, check_flag, check_integer
from topograph.errors import (
    BudgetError,
    InvalidParameterError,
    MissingDependencyError,
    TrainingError,
    UnsupportedSettingError,
)
from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.models.spec import ModelSpec
from trainers.protocol import (
    ANY,
    CHAIN_SETTINGS,
    EVERYTHING,
    MODEL_SETTINGS,
    check_offered,
    check_stack,
    check_topology,
)
from trainers.result import TrainingResult

MODES = ("masked", "sparse")
_OF_SPARSE = {**EVERYTHING, "dropconnect": ANY}
_CACHE = 8e6  # bytes that stay in a processor's cache


class PyTorchTrainer:
    """Trains with PyTorch, on any device: one network, or many of one shape with one product per layer for all.

    The same inputs give the same bits on one device with as many threads. Every setting of
    `TrainingConfig` is offered; by the sparse mode, all but ``rewiring`` and ``compression``.

    Parameters
    ----------
    mode
        ``"masked"``: dense arrays that are 0 wherever there is no edge. ``"sparse"``: the edges only, with a cost in
        proportion to them: on a processor by the kernels of `topograph.torch.SparseLinear`, elsewhere by arrays in CSR.
    device
        Such as ``"cpu"`` or ``"cuda:1"``; by default the first GPU that there is, else the processor.
    together
        Largest number of networks that `train_many` trains at once; by default as many as fit a GPU's memory or a
        processor's cache.
    compile
        Whether to compile the step with ``torch.compile``: a minute at first, faster after that; masked mode only.

    Raises
    ------
    MissingDependencyError
        When PyTorch is not installed.
    """

    framework = "torch"

    def __init__(
        self, mode: str = "masked", device: str | None = None, *, together: int | None = None, compile: bool = False
    ) -> None:
        if find_spec("torch") is None:
            raise MissingDependencyError("this trainer needs PyTorch: pip install 'topograph[torch]'")
        self.mode = check_choice("mode", mode, MODES)
        self.compile = check_flag("compile", compile)
        if self.compile and self.mode == "sparse":
            raise InvalidParameterError(
                "torch.compile does not support sparse arrays: mode='sparse' needs compile=False, but got compile=True"
            )
        self.device = device
        self.together = None if together is None else check_integer("together", together, low=1)
        self.name = "pytorch" if mode == "masked" else "pytorch_sparse"
        if mode == "sparse":
            self.version = "2"  # of its numbers: since then they are sums of our kernels, not of CSR products

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`."""
        (result,) = self.train_many([topology], dataset, [config])
        if isinstance(result, TrainingError):
            raise result
        return result

    def train_many(
        self, topologies: Sequence[Topology], dataset: Dataset, configs: Sequence[TrainingConfig]
    ) -> list[TrainingResult | TrainingError]:
        """See `trainers.protocol.MultiTrainer`. As many networks go together as the device's memory takes."""
        check_stack(topologies, configs)
        for topology, config in zip(topologies, configs, strict=True):
            check_offered(self.name, config, CHAIN_SETTINGS if self.mode == "masked" else _OF_SPARSE)
            check_topology(topology, dataset)
        if not topologies:
            return []
        device = self._find_device(configs[0])
        size = self._stack_size(topologies, configs[0], device)
        results: list[TrainingResult | TrainingError] = []
        for begin in range(0, len(topologies), size):
            part = slice(begin, begin + size)
            try:
                results += self._train_stack(topologies[part], dataset, configs[part], device)
            except BudgetError as error:  # of the one compressed network in it
                results.append(error)
        return results

    def train_model(
        self,
        model: ModelSpec | str | Any,
        masks: Mapping[str, BipartiteGraph],
        dataset: Dataset,
        config: TrainingConfig,
    ) -> TrainingResult:
        """See `trainers.protocol.ModelTrainer`. All settings of models are offered, rewiring and compression too.

        Layers are not made sparse and steps are not compiled: ``mode="sparse"`` and ``compile=True`` are refused.
        """
        if self.mode == "sparse" or self.compile:
            given = "mode='sparse'" if self.mode == "sparse" else "compile=True"
            raise UnsupportedSettingError(
                f"the trainer {self.name!r} does not offer {given} for models: use PyTorchTrainer() without it"
            )
        check_offered(self.name, config, {**MODEL_SETTINGS, "rewiring": ANY, "compression": ANY})
        from trainers.pytorch.model_training import train_model

        device = self._find_device(config)
        return train_model(self.name, model, masks, dataset, config, device, _describe(device))

    def _train_stack(
        self, topologies: Sequence[Topology], dataset: Dataset, configs: Sequence[TrainingConfig], device: Any
    ) -> list[TrainingResult | TrainingError]:
        from trainers.pytorch.training import StackCourse

        started = time.perf_counter()
        course = StackCourse(topologies, dataset, configs, device, self.mode == "sparse", self.compile)
        trained, weights, biases = course.run(), course.stack.weights(), course.stack.each_bias()
        seconds = (time.perf_counter() - started) / len(topologies)
        return [
            one
            if isinstance(one, TrainingError)
            else one.to_result(
                self.name,
                topologies[number],
                dataset,
                configs[number],
                weights=weights[number],
                biases=biases[number],
                seconds=seconds,
                device=_describe(device),
                packages=("numpy", "torch", *(["numba"] if self.mode == "sparse" else [])),
                final=course.final_topology(number),
                n_parameters=course.stack.n_parameters(number),
            )
            for number, one in enumerate(trained)
        ]

    def _find_device(self, config: TrainingConfig) -> Any:
        import torch

        try:
            device = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise InvalidParameterError(f"PyTorch has no device {self.device!r} on this machine: {error}") from error
        if device.type == "mps" and config.dtype == "float64":
            raise UnsupportedSettingError(
                "dtype='float64' is not offered on device 'mps': use dtype='float32' or another device"
            )
        return device

    def _stack_size(self, topologies: Sequence[Topology], config: TrainingConfig, device: Any) -> int:
        """How many networks are trained together: all that fit a GPU; on a processor, what stays in its cache."""
        import torch

        if config.compression != "none":  # each network has a form of its own
            return 1
        if self.together:
            return self.together
        sizes = topologies[0].sizes
        entries = sum(n * m for n, m in itertools.pairwise(sizes))
        if self.mode == "sparse":
            entries = max(topology.n_edges for topology in topologies)
        arrays = 4 + (config.optimizer == "adam") + bool(config.patience) + (self.mode == "sparse")
        needed = np.dtype(config.dtype).itemsize * (arrays * entries + 4 * config.batch_size * sum(sizes))
        room = 0.6 * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else _CACHE
        return max(1, int(room / needed))


def sparse_trainer() -> PyTorchTrainer:
    """The trainer ``"pytorch_sparse"``."""
    return PyTorchTrainer("sparse")


def _describe(device: Any) -> str:
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
