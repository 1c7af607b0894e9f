from __future__ import annotations

import hashlib

from tests.trainers.study.conftest import SMALL, SMALL_RUNS, changed
from trainers.study import StudySpec
from trainers.study.plan import describe_data, plan_id, plan_runs


def test_a_run_s_id_holds_all_that_determines_it():
    base = {run.run_id for run in plan_runs(StudySpec.from_mapping(SMALL))}
    assert len(base) == SMALL_RUNS
    for other in (
        {**SMALL, "training": {"epochs": 2, "learning_rate": 0.1}},
        changed(training_seeds=[5]),
        changed(architectures=[64, 13, 10]),
    ):
        assert not base & {run.run_id for run in plan_runs(StudySpec.from_mapping(other))}
    # what only names things moves nothing
    assert base == {run.run_id for run in plan_runs(StudySpec.from_mapping({**SMALL, "question": "?", "name": "x"}))}


def test_ids_are_those_of_stores_that_exist():
    """The expected values were printed when studies were first run: a change makes finished runs unknown."""
    content = {
        "name": "g",
        "grid": {
            "architectures": [[64, 12, 10]],
            "constructions": ["random_regular", {"name": "watts_strogatz", "beta": [0.1, 0.5]}, "dense"],
            "degrees": [2, [4, 10]],
            "variants": ["plain", "null", {"rewire": "max", "steps": 5}],
            "topology_seeds": [0, 1],
            "training_seeds": {"from": 0, "to": 2**60, "step": 2**60},
            "datasets": "digits",
            "trainers": "numpy",
        },
        "training": {"epochs": [1, 2], "dropout_hidden": 0.2},
    }
    spec = StudySpec.from_mapping(content)
    ids = [run.run_id for run in plan_runs(spec)]
    assert hashlib.sha256("".join(ids).encode()).hexdigest()[:16] == "cf051b89487b2eb1"
    assert (len(ids), ids[0], ids[-1]) == (148, "fa2bf753a430f89b6ff4", "8d5a3f8b9abd5283a9cf")
    assert plan_id(spec, describe_data(spec)) == "609b4c7225006726b4e2"
