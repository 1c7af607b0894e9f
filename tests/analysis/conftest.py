from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainers.study import run_study

STUDY = {
    "name": "shared",
    "question": "Is <this> & that escaped?",
    "grid": {
        "datasets": "digits",
        "architectures": [64, 20, 10],
        "constructions": ["random_edge", "random_regular", "regular_rotating", "fibonacci_rotating", "dense"],
        "degrees": [[2, 4], [4, 4], [8, 10]],
        "topology_seeds": [0, 1],
        "training_seeds": [0, 1],
    },
    "training": {"epochs": 3, "learning_rate": 0.05, "loss": "cross_entropy", "activation": "tanh",
                 "output_activation": "softmax"},
}  # fmt: skip


def published(name: str) -> Path:
    """A table that others published: in TOPOGRAPH_PUBLISHED, or the folder ``published`` of TOPOGRAPH_DATA; or skip."""
    folder = os.environ.get("TOPOGRAPH_PUBLISHED") or os.path.join(os.environ.get("TOPOGRAPH_DATA", ""), "published")
    path = Path(folder) / name
    if not path.is_file():
        pytest.skip(f"neither TOPOGRAPH_PUBLISHED nor TOPOGRAPH_DATA/published holds {name}")
    return path


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "shared.sqlite"
    run_study(STUDY, path, workers=1, progress=False)
    return path


def simulated(
    effect: float, *, clusters: int = 60, runs: int = 3, seed: int = 0, density_effect: float = 0.03
) -> pd.DataFrame:
    """Networks whose accuracy rises with log density and with the gap; the gap itself rises with density.

    ``effect`` is the rise of accuracy per standard deviation of the part of the gap that is not density.
    """
    rng = np.random.default_rng(seed)
    degrees = rng.choice([2, 4, 8, 16], size=clusters)
    log_density = np.log(degrees / 100)
    own = rng.normal(size=clusters)
    gap = log_density + 0.5 * own
    topology = density_effect * log_density + effect * own + rng.normal(scale=0.01, size=clusters)
    rows = np.repeat(np.arange(clusters), runs)
    accuracy = 0.9 + topology[rows] + rng.normal(scale=0.005, size=rows.size)
    accuracy = accuracy.clip(0.01, 0.99)
    return pd.DataFrame(
        {
            "run_id": [f"r{i}" for i in range(rows.size)],
            "topology_id": [f"t{i}" for i in rows],
            "dataset": "made up",
            "trainer": "numpy",
            "architecture": "100-100-10",
            "construction": np.array(["random_edge", "random_regular", "regular_rotating"])[rows % 3],
            "degrees": [f"{d}-10" for d in degrees[rows]],
            "topology_seed": rows,
            "seed": np.tile(np.arange(runs), clusters),
            "test_accuracy": accuracy,
            "train_accuracy": accuracy,
            "correct": (accuracy * 1000).round().astype(int),
            "total": 1000,
            "seconds": 1.0,
            "l1_log_density": log_density[rows],
            "l1_normalized_gap": gap[rows],
        }
    )
