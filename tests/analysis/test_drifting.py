"""`drift`: what training changed in the graph."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import drift
from topograph.errors import InsufficientDataError, UnknownNameError


def table(rng, shift):
    first = rng.random(12)
    return pd.DataFrame(
        {
            "topology_id": np.repeat([f"t{i}" for i in range(6)], 2), "rewiring": "set",
            "l1_gap": np.repeat(first[:6], 2), "final_l1_gap": np.repeat(first[:6], 2) + shift + 0.01 * rng.random(12),
        }
    )  # fmt: skip


def test_the_interval_is_students_over_topologies():
    frame = table(np.random.default_rng(0), 0.1)
    row = drift(frame, "l1_gap").loc["set"]
    changes = (frame["final_l1_gap"] - frame["l1_gap"]).groupby(frame["topology_id"]).mean()
    low, high = stats.t.interval(0.95, 5, changes.mean(), stats.sem(changes))
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert (row["n_topologies"], row["n_runs"], row["direction"]) == (6, 12, "up")


def test_a_change_that_the_interval_does_not_tell_is_said_so():
    rng = np.random.default_rng(1)
    frame = table(rng, 0)
    frame["final_l1_gap"] = frame["l1_gap"] + rng.normal(size=12)
    assert drift(frame, "l1_gap").loc["set", "direction"] == "cannot be told"
    one = drift(frame.iloc[:2], "l1_gap").loc["set"]
    assert np.isnan(one["low"])
    assert one["direction"] == "cannot be told"


def test_runs_of_fixed_edges_are_left_out_and_alone_refused():
    frame = table(np.random.default_rng(0), 0.1)
    fixed = frame.assign(rewiring="none", final_l1_gap=np.nan)
    assert list(drift(pd.concat([frame, fixed]), "l1_gap").index) == ["set"]
    with pytest.raises(InsufficientDataError, match="only rewired networks"):
        drift(fixed, "l1_gap")
    with pytest.raises(UnknownNameError):
        drift(frame, "l1_gip")
