from __future__ import annotations

import importlib

import pytest

from topograph.plugins import named_plugins, registered
from trainers.study import Store, run_study

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
# random_regular 2 degrees × 2 topologies, regular_rotating 2, dense 1; two trainings of each
SMALL_RUNS = (4 + 2 + 1) * 2
TRAINERS = ("toy", "sleepy", "many", "liar", "raiser", "restless", "forking")


def install_toys(folder):
    """A distribution that registers the toys, as somebody else's package would."""
    info = folder / "toys-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    lines = [f"{name} = tests.trainers.study.toy_trainers:{name.capitalize()}Trainer\n" for name in TRAINERS]
    lines += ["[topograph.constructions]\nshifting = tests.trainers.study.toy_trainers:SHIFTING\n"]
    lines += ["[topograph.metrics]\nmoody = tests.trainers.study.toy_trainers:MOODY\n"]
    (info / "entry_points.txt").write_text("[topograph.trainers]\n" + "".join(lines))
    return folder


def forget_plugins():
    """Have entry points read again."""
    importlib.invalidate_caches()
    registered.cache_clear()
    named_plugins.cache_clear()


def changed(**grid):
    """`SMALL` with another grid."""
    return {**SMALL, "grid": {**SMALL["grid"], **grid}}


@pytest.fixture
def toys(tmp_path_factory, monkeypatch):
    monkeypatch.syspath_prepend(install_toys(tmp_path_factory.mktemp("toys")))
    forget_plugins()
    yield
    monkeypatch.undo()
    forget_plugins()


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


def study(tmp_path, content, name="s.sqlite", **execution):
    """Run a study; its summary, and its runs."""
    summary = run_study(content, tmp_path / name, **{"workers": 2, **execution})
    return summary, Store(tmp_path / name).runs()
