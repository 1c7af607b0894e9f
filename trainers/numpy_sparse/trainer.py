"""`NumpyTrainer`: the sparse NumPy backend behind the trainer contract."""

from __future__ import annotations

import time

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.course import run_course
from trainers.datasets import Dataset
from trainers.initialization import validation_split
from trainers.protocol import REWIRED, check_offered, check_topology
from trainers.result import TrainingResult
from trainers.rewiring.rewirer import make_rewirer


class NumpyTrainer:
    """Trains on the edges only: forward, backward and update cost time in proportion to the edges.

    Compiled loops (numba) on one core. Only networks of a million edges and more, with batches of more than 32,
    share the tiles of a batch among ``NUMBA_NUM_THREADS`` threads (by default, the cores). The same inputs give the
    same bits with as many threads.

    Random draws are those of `trainers.initialization`. Every setting of `TrainingConfig` is offered.
    """

    name = "numpy"
    version = "2"  # of its numbers: since then they are the same to the bit whether code is compiled or read from disk

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`; what diverged names the layer too."""
        check_offered(self.name, config, REWIRED)
        check_topology(topology, dataset)
        started = time.perf_counter()
        from trainers.numpy_sparse.learner import SparseLearner  # imports numba: on first use

        samples = len(validation_split(len(dataset.y_train), config)[0])
        rewirer = make_rewirer(config, topology, dataset.x_train, dataset.y_train, samples)
        learner = SparseLearner(topology, config, dataset.x_train, dataset.y_train, dataset.x_test, rewirer=rewirer)
        trained = run_course(learner, config, len(dataset.y_train), dataset.y_test, rewirer)
        return trained.to_result(
            self.name,
            topology,
            dataset,
            config,
            weights=learner.network.weights(),
            biases=learner.network.biases(),
            seconds=time.perf_counter() - started,
            device="cpu",
            packages=("numpy", "scipy", "numba"),
            final=learner.topology,
        )
