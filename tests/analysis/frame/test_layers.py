from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.frame.layers import with_summaries

GAP = "normalized_gap"


def summaries(columns, architectures, reasons=None, models=()):
    table = pd.DataFrame(columns)
    return with_summaries(table, pd.Series(architectures), reasons or {}, frozenset(models))


def test_a_layer_in_which_no_network_of_a_model_has_a_metric_has_no_part_in_it():
    table, said = summaries(
        {f"l1_{GAP}": [0.2, 0.4, 0.5], f"l2_{GAP}": [np.nan, np.nan, 0.1], f"l3_{GAP}": [0.6, np.nan, np.nan]},
        ["a", "a", "b"],
        {f"l3_{GAP}": ["not connected"], f"l2_{GAP}": ["one output"]},
        models=["a", "b"],
    )
    # of a: layers 1 and 3 count, and the second network lacks the third; of b: layers 1 and 2
    assert table[f"mean_{GAP}"].round(9).tolist()[::2] == [0.4, 0.3]
    assert table[f"min_{GAP}"].tolist()[::2] == [0.2, 0.1]
    assert table[f"max_{GAP}"].tolist()[::2] == [0.6, 0.5]
    assert table.loc[1].isna().all()
    assert said[f"mean_{GAP}"] == ["not connected", "one output"]


def test_columns_of_single_layers_are_kept_for_chains_and_left_out_for_models():
    columns = {f"l1_{GAP}": [0.2, 0.4], f"l2_{GAP}": [0.4, 0.8], "l2_n_left": [3, 4], f"network_{GAP}": [0.1, 0.3]}
    both, _ = summaries(columns, ["8-4-2", "lstm"], models=["lstm"])
    assert both[f"l1_{GAP}"].isna().tolist() == [False, True]
    assert both["l2_n_left"].isna().tolist() == [False, True]
    assert both[f"network_{GAP}"].tolist() == [0.1, 0.3]
    alone, _ = summaries(columns, ["lstm", "lstm"], models=["lstm"])
    assert [name for name in alone if name.startswith("l")] == []
    chains, _ = summaries(columns, ["8-4-2", "8-4-2"])
    assert list(chains)[:3] == [f"l1_{GAP}", f"l2_{GAP}", "l2_n_left"]


def test_a_single_layer_is_its_own_mean_for_models_and_is_not_repeated_for_chains():
    columns = {f"l1_{GAP}": [0.2, 0.4]}
    assert summaries(columns, ["m", "m"], models=["m"])[0][f"mean_{GAP}"].tolist() == [0.2, 0.4]
    assert list(summaries(columns, ["8-4", "8-4"])[0]) == [f"l1_{GAP}"]


def test_architectures_may_be_plain_objects_as_a_published_frame_has_them():
    table = pd.DataFrame({"l1_density": [0.1, 0.2], "l2_density": [0.3, 0.6]})
    architectures = pd.Series(["4-3-2", "4-3-2"], dtype=object, index=[7, 9])
    assert with_summaries(table, architectures, {}, frozenset())[0]["mean_density"].tolist() == pytest.approx(
        [0.2, 0.4]
    )
