from __future__ import annotations

import importlib

import pytest

from topograph.plugins import registered

SMALL = {
    "name": "small",
    "grid": {
        "datasets": "digits",
        "architectures": [64, 12, 10],
        "constructions": ["random_regular", "regular_rotating", "dense"],
        "degrees": [2, [4, 10]],
        "topology_seeds": [0, 1],
        "training_seeds": [0, 1],
    },
    "training": {"epochs": 1, "learning_rate": 0.1},
}
TRAINERS = ("toy", "sleepy", "many")


def install_toys(folder):
    """A distribution that registers the toy trainers, as somebody else's package would."""
    info = folder / "toys-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    lines = [f"{name} = tests.trainers.study.toy_trainers:{name.capitalize()}Trainer\n" for name in TRAINERS]
    (info / "entry_points.txt").write_text("[topograph.trainers]\n" + "".join(lines))
    return folder


def changed(**grid):
    """`SMALL` with another grid."""
    return {**SMALL, "grid": {**SMALL["grid"], **grid}}


@pytest.fixture
def toys(tmp_path_factory, monkeypatch):
    monkeypatch.syspath_prepend(install_toys(tmp_path_factory.mktemp("toys")))
    importlib.invalidate_caches()
    registered.cache_clear()
    yield
    monkeypatch.undo()
    registered.cache_clear()


def toy_study(trainer="toy", seeds=(0, 1), **more):
    """Twelve tiny topologies, trained once for each seed."""
    grid = {
        "trainers": trainer,
        "architectures": [[64, 12, 10]],
        "constructions": ["random_regular", "regular_rotating"],
        "degrees": [2, 3, 4],
        "topology_seeds": [0, 1, 2],
        "training_seeds": list(seeds),
    }
    return {"name": "toys", "grid": grid, "training": {"epochs": 1}, "metrics": ["sizes"], **more}


TOPOLOGIES = 3 * 3 + 3
