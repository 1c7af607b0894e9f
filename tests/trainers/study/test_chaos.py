from __future__ import annotations

import sys

import pytest

from tests.trainers.study.chaos import torment


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds worker processes in /proc")
def test_a_study_survives_kill_9_at_any_instant(tmp_path):
    tally = torment(tmp_path, kills=6, seed=1, runs=60, epochs=200, pause=0.2)
    assert not tally.faults
    assert sum(tally.kills.values()) >= 3
    assert tally.runs == 60
