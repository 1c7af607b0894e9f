from __future__ import annotations

from tests.trainers.study.conftest import SMALL, SMALL_RUNS, changed
from trainers.study import StudySpec
from trainers.study.plan import plan_runs


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
