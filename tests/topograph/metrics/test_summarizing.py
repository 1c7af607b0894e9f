"""The short table."""

import numpy as np
import pandas as pd
import pytest

import topograph as tg


def test_a_row_per_layer_and_the_network_and_counts_are_whole():
    topology = tg.Topology.build("random_regular", [6, 5, 3], degrees=2, seed=0)
    table = tg.summary(topology)
    assert table.index.tolist() == ["l1", "l2", "network"]
    assert table["n_edges"].tolist() == [12, 10, 22]
    assert pd.api.types.is_integer_dtype(table["isolated_left"])
    assert table.loc["network", "n_left"] is pd.NA
    assert table["normalized_gap"].tolist() == pytest.approx(tg.measure(topology)["normalized_gap"].tolist())


def test_what_is_not_a_mask_has_no_row_but_a_reason():
    table = tg.summary({"fc": np.eye(3), "bias": np.ones(3)})
    assert table.index.tolist() == ["fc"]
    assert "1 dimension" in table.attrs["left_out"]["bias"]
    assert tg.measure({"fc": np.eye(3), "bias": np.ones(3)}).attrs["left_out"] == table.attrs["left_out"]


def test_several_sources():
    table = tg.summary({1: {"fc": np.eye(2)}, 2: {"fc": np.eye(3)}})
    assert table.index.tolist() == [(1, "fc"), (2, "fc")]
    assert table["n_components"].tolist() == [2, 3]
