"""A small published study, made once: two parts on digits, of which one was run whole and one in part."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainers.study import run_study
from trainers.study.publishing import publish_study

SPEC = """
question = "{question}"
metrics = ["density", "algebraic_connectivity", "ramanujan_gap"]

[training]
epochs = 2
learning_rate = 0.5

[[grid]]
datasets = "digits"
architectures = [64, 20, 10]
constructions = ["random_regular", "regular_rotating"]
degrees = [{degrees}]
topology_seeds = [0, 1]
training_seeds = [0, 1]
zip = ["topology_seeds", "training_seeds"]
"""


def write_specs(folder: Path) -> Path:
    """Two specs: four networks of degree 2, and four of degree 5."""
    folder.mkdir()
    (folder / "1-thin.toml").write_text(SPEC.format(question="Thin?", degrees="[2, 10]"), encoding="utf-8")
    (folder / "2-thick.toml").write_text(SPEC.format(question="Thick?", degrees="[5, 10]"), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Folder with ``specs``, ``stores`` (the first part only) and ``published``."""
    folder = tmp_path_factory.mktemp("study")
    specs = write_specs(folder / "specs")
    run_study(specs / "1-thin.toml", folder / "stores" / "1-thin.sqlite", workers=1, progress=False)
    publish_study(specs, folder / "stores", folder / "published")
    return folder
