"""Quick trainers that misbehave at certain seeds, and a construction and a metric that can be made to change."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from topograph.constructions.registry import Construction
from topograph.constructions.rows import from_equal_rows
from topograph.errors import TrainingDivergedError
from topograph.metrics import Metric, Value
from trainers.protocol import check_stack
from trainers.result import TrainingResult, sparse_weights

HANG, CRASH, HUNGRY, SEGFAULT, RAISE, NOTHING, NOISY, EXIT, UNWRITABLE, CTRL_C = range(101, 111)


def toy_result(topology, config, name="toy", seconds=0.0):
    """Numbers that depend on the connections, the settings and the seed, and on nothing else."""
    digest = int(topology.content_hash[:12], 16) + 7919 * config.seed + config.epochs
    correct = digest % 361
    return TrainingResult(
        trainer=name,
        config=config,
        correct=correct,
        total=360,
        train_accuracy=(digest % 997) / 997,
        history={"loss": (1.0,), "train_accuracy": (0.5,), "test_accuracy": (correct / 360,)},
        weights=sparse_weights(topology, [np.full(graph.n_edges, 0.5, np.float32) for graph in topology]),
        biases=tuple(np.zeros(graph.n_right, np.float32) for graph in topology),
        seconds=seconds,
        device="cpu",
        versions={"toy": "1"},
    )


class ToyTrainer:
    name = "toy"
    version = "1"

    def train(self, topology, dataset, config):
        if config.seed == HANG:
            time.sleep(600)
        elif config.seed == CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        elif config.seed == HUNGRY:
            held = []
            for _ in range(100):
                held.append(np.ones(1 << 26, dtype=np.uint8))
                time.sleep(0.05)
        elif config.seed == SEGFAULT:
            ctypes.string_at(0)
        elif config.seed == RAISE:
            raise TrainingDivergedError("the loss of epoch 1 is nan")
        elif config.seed == NOTHING:
            return None
        elif config.seed == NOISY:
            print("this must not come between the replies\n" * 5000)
        elif config.seed == EXIT:
            sys.exit(0)
        elif config.seed == CTRL_C and "TOY_CTRL_C" in os.environ:
            signal.raise_signal(signal.SIGINT)
        result = toy_result(topology, config)
        return replace(result, device=object()) if config.seed == UNWRITABLE else result


class SleepyTrainer:
    """Takes a while, as real ones do."""

    name = "sleepy"

    def train(self, topology, dataset, config):
        time.sleep(0.05 * config.epochs)
        return toy_result(topology, config, self.name)


class ManyTrainer:
    """Trains many at once, and writes down how many they were."""

    name = "many"

    def train(self, topology, dataset, config):
        return self.train_many([topology], dataset, [config])[0]

    def train_many(self, topologies, dataset, configs):
        check_stack(topologies, configs)
        if log := os.environ.get("TOY_LOG"):
            with Path(log).open("a") as file:
                file.write(f"{len(configs)}\n")
        if any(config.seed == CRASH for config in configs):
            os.kill(os.getpid(), signal.SIGKILL)
        return [
            TrainingDivergedError("nan") if config.seed == RAISE else toy_result(topology, config, self.name)
            for topology, config in zip(topologies, configs, strict=True)
        ]


def shifting(n_left, n_right, degree, generator):
    """A construction of which another version, in ``TOY_SHIFT``, makes other graphs."""
    rows = np.tile(np.arange(degree), (n_left, 1)) + np.arange(n_left)[:, None] + int(os.environ.get("TOY_SHIFT", 0))
    return from_equal_rows(np.sort(rows % n_right), n_right)


def moody(graph):
    """A metric that cannot be computed while ``TOY_MOOD`` is set."""
    if "TOY_MOOD" in os.environ:
        raise ArithmeticError("no such luck")
    return Value(1.0)


SHIFTING = Construction("shifting", shifting, summary="i, i + 1, …", guarantees=(), reference="none")
MOODY = Metric("moody", moody, low=0, high=1, group="moods", summary="1 on good days", formula="1")


class LiarTrainer:
    """Returns results that cannot be, as its seed says."""

    name = "liar"

    def train(self, topology, dataset, config):
        result = toy_result(topology, config, self.name)
        if config.seed == 1:
            return replace(result, correct=-1)
        if config.seed == 2:
            return toy_result(topology, config.replace(seed=1002), self.name)
        if config.seed == 3:
            full = [np.ones((graph.n_left, graph.n_right), np.float32) for graph in topology]
            return replace(result, weights=tuple(map(sp.csr_array, full)), weight_stats=result.weight_stats.iloc[:0])
        return result


class Rude(BaseException):
    """Not even an Exception."""


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no words")


class RaiserTrainer:
    """Raises what its seed says."""

    name = "raiser"
    errors = (None, KeyboardInterrupt("by itself"), GeneratorExit("by itself"), Rude(), Mute(),
              ValueError("half of a pair \ud83d, a zero \0"))  # fmt: skip

    def train(self, topology, dataset, config):
        if error := self.errors[config.seed]:
            raise error
        return toy_result(topology, config, self.name)


class RestlessTrainer:
    """Leaves the folder that it is started in, for one that is then gone."""

    name = "restless"

    def train(self, topology, dataset, config):
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
        return toy_result(topology, config, self.name)


class ForkingTrainer:
    """Comes back twice: in a copy of its process, too."""

    name = "forking"

    def train(self, topology, dataset, config):
        os.fork()
        return toy_result(topology, config, self.name)
