"""A result that the database cannot hold costs its own run, and no other one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.trainers.study.conftest import study, toy_study
from trainers.study import Store
from trainers.study.records import JobResult
from trainers.study.store import FinishedJob


@pytest.mark.usefixtures("toys")
def test_one_unstorable_result_does_not_roll_back_the_others(tmp_path):
    study(tmp_path, toy_study(seeds=(0,)), workers=1)
    store = Store(tmp_path / "s.sqlite")
    (_, record), *_ = store.records()
    results = [
        JobResult("a" * 20, {**record, "device": "half of a pair \ud83d", "correct": 7}),
        JobResult("a" * 20, {**record, "correct": 2**70}),
        JobResult("a" * 20, {**record, "seconds": object()}),
        JobResult("a" * 20, {key: value for key, value in record.items() if key != "total"}),
        JobResult(reason="half of a pair \ud83d and a zero \0", traceback="\ud83d"),
        JobResult("a" * 20, {**record, "correct": 8}),
    ]
    with store.writer() as writer:
        writer.retry()
        jobs = [FinishedJob(run, run, result) for run, result in enumerate(results, start=1)]
        stored = writer.save(jobs)
    assert [job.result.record is not None for job in stored] == [True, False, False, False, False, True]
    runs = store.runs().head(6)
    assert runs["status"].tolist() == ["done", "failed", "failed", "failed", "failed", "done"]
    assert runs["correct"].tolist()[::5] == [7, 8]
    assert runs["reason"].str.contains("cannot be stored").tolist()[1:4] == [True] * 3
    assert runs["reason"][4] == "half of a pair \\ud83d and a zero \\x00"
    assert dict(store.records())[runs["run_id"][0]]["device"] == "half of a pair \\ud83d"


@pytest.mark.usefixtures("toys")
def test_a_topology_of_a_result_that_was_not_stored_is_not_known(tmp_path):
    study(tmp_path, toy_study(seeds=(0,)), workers=1)
    store = Store(tmp_path / "s.sqlite")
    (_, record), *_ = store.records()
    with store.writer() as writer:
        bad = FinishedJob(1, 999, JobResult("b" * 20, {**record, "correct": 2**70}))
        writer.save([bad, replace(bad, run=2, result=JobResult("c" * 20, record))])
        assert writer.topologies[999] == "c" * 20
