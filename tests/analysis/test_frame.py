from __future__ import annotations

import numpy as np
import pytest

import analysis
from analysis.frame import KEYS, density_columns, metric_columns
from topograph.errors import InsufficientDataError, StoreError
from trainers.study import Store


def test_one_tidy_row_a_run(store):
    frame = analysis.load_frame(store)
    assert tuple(frame.columns[: len(KEYS)]) == KEYS
    # two random constructions with two topologies a degree, two fixed ones, dense; where Fibonacci's first numbers are
    # a plain run, as at degrees 2 and 4, its topology is regular_rotating's, and the same run
    assert len(frame) == frame["run_id"].nunique() == (2 * 3 * 2 + 3 + 1 + 1) * 2
    assert (frame["correct"] / frame["total"] == frame["test_accuracy"]).all()
    assert frame["l1_density"].between(0, 1).all()
    assert np.allclose(frame["l1_log_density"], np.log(frame["l1_density"]))
    assert frame["network_n_edges"].tolist() == (frame["l1_n_edges"] + frame["l2_n_edges"]).tolist()
    assert not frame.duplicated(["topology_id", "seed"]).any()
    assert set(density_columns(frame)) == {"l1_log_density", "l2_log_density"}
    assert "l2_normalized_gap" in metric_columns(frame)
    assert "construction" not in metric_columns(frame)


def test_undefined_values_keep_their_reason(store):
    frame = analysis.load_frame(store)
    # the dense layer's graphs have no second component to fail; the network row has no left degrees at all
    assert "network_left_degree_mean" not in frame.columns
    assert frame.attrs["reasons"]["network_left_degree_mean"] == ["defined for a layer pair, not for a network"]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        analysis.load_frame(tmp_path / "none.sqlite")
    empty = Store(tmp_path / "empty.sqlite")
    with empty.writer() as writer:
        writer.plan([], {})
    with pytest.raises(InsufficientDataError, match="none of its 0 runs"):
        analysis.load_frame(empty.path)
