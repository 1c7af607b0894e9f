from __future__ import annotations

import sqlite3
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow
import pytest

import analysis
from analysis.columns import connectivity_columns, density_columns
from analysis.frame import KEYS, load_learning_curves, metric_columns
from analysis.frame.names import other_metric_columns
from analysis.reporting.choosing import no_controls
from topograph.errors import InsufficientDataError, InvalidParameterError, StoreError, UnknownNameError
from trainers.study import Store, run_study


def test_one_tidy_row_a_run(store):
    frame = analysis.load_frame(store)
    assert tuple(frame.columns[: len(KEYS)]) == KEYS
    # two random constructions with two topologies a degree, two fixed ones, dense
    assert len(frame) == frame["run_id"].nunique() == (2 * 3 * 2 + 3 + 3 + 1) * 2
    # where Fibonacci's first numbers are a plain run, as at degrees 2 and 4, its topology is regular_rotating's: the
    # same numbers under two names
    assert frame["topology_id"].nunique() == 2 * 3 * 2 + 3 + 1 + 1
    doubled = frame[frame.duplicated(["topology_id", "seed"], keep=False)]
    assert set(doubled["construction"]) == {"regular_rotating", "fibonacci_rotating"}
    assert (doubled.groupby(["topology_id", "seed"])["correct"].nunique() == 1).all()
    assert (frame["correct"] / frame["total"] == frame["test_accuracy"]).all()
    assert frame["l1_density"].between(0, 1).all()
    assert np.allclose(frame["l1_log_density"], np.log(frame["l1_density"]))
    assert frame["network_n_edges"].tolist() == (frame["l1_n_edges"] + frame["l2_n_edges"]).tolist()
    assert set(density_columns(frame)) == {"l1_log_density", "l2_log_density"}
    assert "l2_normalized_gap" in metric_columns(frame)
    assert "construction" not in metric_columns(frame)


def test_undefined_values_keep_their_reason(store):
    frame = analysis.load_frame(store)
    # the dense layer's graphs have no second component to fail; the network row has no left degrees at all
    assert "network_left_degree_mean" not in frame.columns
    assert frame.attrs["reasons"]["network_left_degree_mean"] == ["defined for a layer, not for a network"]


def test_columns_are_described(store):
    frame = analysis.load_frame(store)
    table = analysis.describe_columns(frame)
    assert list(table.index) == list(frame.columns)
    assert not table["meaning"].str.startswith("not ours").any()
    assert table.loc["l2_normalized_gap", "part"] == "layer 2"
    assert set(KEYS) <= set(analysis.describe_columns().index)


def test_transforms_weights_and_learning_curves(store):
    frame = analysis.load_frame(store)
    row = frame.iloc[0]
    assert row["test_accuracy_logit"] == pytest.approx(np.log((row["correct"] + 0.5) / (360 - row["correct"] + 0.5)))
    assert (frame["l1_weight_min"] <= frame["l1_weight_mean"]).all()
    assert "l1_weight_std" not in metric_columns(frame)
    curves = load_learning_curves(store)
    assert len(curves) == 3 * len(frame)
    last = curves[curves["epoch"] == 3].set_index("run_id")["test_accuracy"]
    assert last[frame["run_id"]].tolist() == frame["test_accuracy"].tolist()


def test_other_peoples_tables(tmp_path):
    table = pd.DataFrame({"acc": [0.9, 0.8, 0.7], "dens": [0.1, 0.2, 0.0], "imdb": [1.0, 2.0, 3.0]})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    names = {"acc": "test_accuracy", "dens": "l1_density"}
    for source in (table, tmp_path / "t.csv", tmp_path / "t.parquet"):
        frame = analysis.load_frame(source, columns=names)
        assert tuple(frame.columns[: len(KEYS)]) == KEYS
        assert frame["imdb"].tolist() == [1, 2, 3]
        assert frame["topology_id"].nunique() == 3
        assert np.isnan(frame["l1_log_density"].iloc[2])
    with pytest.raises(UnknownNameError, match="did you mean 'acc'"):
        analysis.load_frame(table, columns={"ac": "test_accuracy"})
    with pytest.raises(UnknownNameError, match="columns="):
        analysis.load_frame(table)
    with pytest.raises(InvalidParameterError, match="divide percentages"):
        analysis.load_frame(table.assign(acc=90.0), columns=names)
    with pytest.raises(InvalidParameterError, match="twice"):
        analysis.load_frame(table, columns={"acc": "test_accuracy", "dens": "test_accuracy"})
    with pytest.raises(StoreError, match="no such file"):
        analysis.load_frame(tmp_path / "none.csv")


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        analysis.load_frame(tmp_path / "none.sqlite")
    empty = Store(tmp_path / "empty.sqlite")
    with empty.writer() as writer:
        writer.plan([], {})
    with pytest.raises(InsufficientDataError, match="none of its 0 runs"):
        analysis.load_frame(empty.path)


def test_settings_that_vary_are_columns(tmp_path):
    content = {
        "grid": {"architectures": [64, 8, 10], "constructions": ["random_regular"], "degrees": [2, 4]},
        "training": {"epochs": [1, 2], "dropout_hidden": [0, 0.5], "learning_rate": 0.1},
    }
    run_study(content, tmp_path / "s.sqlite", workers=1, progress=False)
    frame = analysis.load_frame(tmp_path / "s.sqlite")
    assert frame.attrs["settings"] == ["epochs", "dropout_hidden"]
    assert frame.groupby(["epochs", "dropout_hidden"]).size().to_dict() == {(e, d): 2 for e in (1, 2) for d in (0, 0.5)}
    assert frame["topology_id"].nunique() == 2
    assert "TrainingConfig" in analysis.describe_columns(frame).loc["dropout_hidden", "meaning"]
    assert "epochs" not in metric_columns(frame)


def test_accuracies_that_are_no_numbers_are_refused():
    with pytest.raises(InvalidParameterError, match=r"1 of 3 rows do not, first '91 %'"):
        analysis.load_frame(pd.DataFrame({"test_accuracy": ["0.8", "91 %", None]}))
    assert analysis.load_frame(pd.DataFrame({"test_accuracy": ["0.8", None]}))["test_accuracy"].isna().tolist() == [
        0,
        1,
    ]


def test_a_store_without_any_metric_still_has_its_runs(tmp_path):
    content = {"grid": {"architectures": [64, 8, 10], "constructions": ["random_regular"], "degrees": [2, 4]}}
    path = tmp_path / "s.sqlite"
    run_study(content | {"training": {"epochs": 1}}, path, workers=1, progress=False)
    with sqlite3.connect(path) as connection:  # as if nothing could be measured
        connection.execute("DELETE FROM metrics")
    frame = analysis.load_frame(path)
    assert len(frame) == 2
    assert metric_columns(frame) == []


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "json", "parquet"])
def test_names_stay_text_through_every_format(tmp_path, ending):
    table = pd.DataFrame(
        {
            "topology_id": ["001", "01", "1", "9000000000000000001", "9000000000000000002"],
            "variant": ["plain", "null", "null", "NA", "None"],
            "degrees": ["4", "8", "4", "8", "4-10"],
            "construction": ["1e5", "inf", "nan", "True", "x"],
            "test_accuracy": [0.5, 0.6, 0.7, 0.8, 0.9],
            "r-out": [0.1, np.nan, 0.3, 0.4, 0.5],
        }
    )
    path = tmp_path / f"t.{ending}"
    if ending == "json":
        table.to_json(path, orient="records")
    elif ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    frame = analysis.load_frame(path)
    for column in ("topology_id", "variant", "degrees", "construction"):
        assert frame[column].tolist() == table[column].tolist()
    assert frame["test_accuracy"].tolist() == table["test_accuracy"].tolist()
    assert frame["r-out"].isna().tolist() == [False, True, False, False, False]
    assert analysis.frame.layer_degrees(frame, 1).tolist() == [4, 8, 4, 8, 4]


def test_a_study_is_the_same_through_its_csv(store, tmp_path):
    frame = analysis.load_frame(store)
    frame.assign(variant=np.where(frame["seed"] == 0, "null", "plain")).to_csv(tmp_path / "s.csv", index=False)
    again = analysis.load_frame(tmp_path / "s.csv")
    assert again["variant"].value_counts().to_dict() == {"null": 19, "plain": 19}
    for column in ("topology_id", "degrees", "test_accuracy", "seed", "l1_normalized_gap"):
        pd.testing.assert_series_equal(again[column], frame[column], check_dtype=False)


def test_ids_with_holes_keep_their_digits():
    ids = [int(9e18) + i for i in range(5)] + [None]
    frame = analysis.load_frame(pd.DataFrame({"topology_id": pd.Series(ids, dtype=object), "test_accuracy": 0.5}))
    assert frame["topology_id"].nunique() == 5
    assert frame["topology_id"].isna().tolist() == [False] * 5 + [True]


def test_semicolons_a_byte_order_mark_and_holes_are_read(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffacc;x;note\n0.5;1;a\n0.6;NA;NA\n0.7;;\n", encoding="utf-8")
    frame = analysis.load_frame(tmp_path / "t.csv", columns={"acc": "test_accuracy"})
    assert frame["x"].tolist()[:1] == [1]
    assert frame["x"].isna().sum() == 2
    assert frame["note"].tolist()[:2] == ["a", "NA"]


def test_a_file_of_another_kind_is_refused_with_what_is_read(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(StoreError, match=r"\.csv, \.tsv, \.json, \.jsonl, \.parquet"):
        analysis.load_frame(tmp_path / "t.xlsx")
    percent = analysis.load_frame(pd.DataFrame({"acc": ["76 %", "75%"]}), columns={"acc": "test_accuracy"})
    assert percent["test_accuracy"].tolist() == [0.76, 0.75]
    with pytest.raises(InvalidParameterError, match="but 2 of 3 rows do not, first '76 %'"):
        analysis.load_frame(pd.DataFrame({"acc": ["76 %", "0.7", "71 %"]}), columns={"acc": "test_accuracy"})
    table = analysis.load_frame(pd.DataFrame({"test_accuracy": [0.5] * 9, "sparsity": ["50 %", *["low"] * 8]}))
    with pytest.raises(InvalidParameterError, match=r"'sparsity' must hold numbers, but holds .*50 %"):
        analysis.correlate(table, "test_accuracy", "sparsity", methods=["pearson"])


def test_metrics_are_summarised_over_the_layers_beside_them_and_not_taken_twice(store):
    frame = analysis.load_frame(store)
    layers = frame[["l1_algebraic_connectivity", "l2_algebraic_connectivity"]].to_numpy()
    for name, expected in (("mean", layers.mean(axis=1)), ("min", layers.min(axis=1)), ("max", layers.max(axis=1))):
        assert frame[f"{name}_algebraic_connectivity"].tolist() == expected.tolist()
    assert "mean_n_left" not in frame.columns  # sizes do not say anything on average
    assert not [name for name in metric_columns(frame) if name.startswith(("mean_", "min_", "max_"))]
    assert not [name for name in other_metric_columns(frame) if name.startswith(("mean_", "min_", "max_"))]
    assert connectivity_columns(frame) == ["l1_algebraic_connectivity", "l1_normalized_gap"]
    described = analysis.describe_columns(frame)
    assert described.loc["min_normalized_gap", "part"] == "smallest of the layers"
    assert "mean_log_density" not in frame.columns  # the logarithm of a mean is not the mean of logarithms


def test_a_table_of_summaries_only_has_them_as_its_metrics():
    table = pd.DataFrame({"test_accuracy": [0.8, 0.9], "mean_normalized_gap": [0.1, 0.2], "max_speed": [1, 2]})
    frame = analysis.load_frame(table)
    assert metric_columns(frame) == ["mean_normalized_gap"]
    assert other_metric_columns(frame) == ["max_speed"]
    assert connectivity_columns(frame) == ["mean_normalized_gap"]
    sparse = analysis.load_frame(table.assign(mean_density=[0.1, 0.2]))
    assert sparse.attrs["density_from"] == "mean_density"


def test_numbers_with_decimal_commas_are_read_beside_semicolons(tmp_path):
    (tmp_path / "t.csv").write_text("acc;gap;pair\n0,5;1;1,2\n0,6;NA;a\n7e-1;0,25;b\n", encoding="utf-8")
    frame = analysis.load_frame(tmp_path / "t.csv", {"acc": "test_accuracy"})
    assert frame["test_accuracy"].tolist() == [0.5, 0.6, 0.7]
    assert frame["gap"].iloc[[0, 2]].tolist() == [1.0, 0.25]
    assert frame["pair"].tolist() == ["1,2", "a", "b"]


@pytest.mark.parametrize(
    ("name", "values", "density"),
    [("Sparsity (%)", [50, 90, 98], [0.5, 0.1, 0.02]), ("density_pct", [8, 30, 100], [0.08, 0.3, 1.0])],
)
def test_densities_and_sparsities_in_per_cent_hold_density_fixed(name, values, density):
    frame = analysis.load_frame(pd.DataFrame({"test_accuracy": [0.7, 0.8, 0.9], name: values}))
    assert np.exp(frame["log_density"]).tolist() == pytest.approx(density)
    assert frame.attrs["density_from"] == name


def test_numbers_of_runs_are_not_metrics():
    table = pd.DataFrame({"test_accuracy": [0.7, 0.8], "run": [0, 1], "Trial 2": [1, 2], "gap": [0.1, 0.2]})
    assert other_metric_columns(analysis.load_frame(table)) == ["gap"]


def test_a_compression_ratio_that_is_called_sparsity_is_not_taken_for_percentages():
    frame = analysis.load_frame(pd.DataFrame({"test_accuracy": [0.7, 0.8, 0.9], "sparsity": [16.0, 8.0, 2.0]}))
    assert "density_from" not in frame.attrs
    assert "sparsity is not taken for a density" in no_controls(frame, None)


def test_a_density_beyond_1_is_not_said_to_be_constant():
    frame = analysis.load_frame(pd.DataFrame({"test_accuracy": [0.7, 0.8, 0.9], "density": [8.0, 30.0, 50.0]}))
    assert "density is not taken for a density, since it has values outside [0, 1]" in no_controls(frame, None)


def test_numbers_are_numbers_whatever_holds_them():
    numbers = [0.5, 0.25, 0.125, 0.75]
    table = pd.DataFrame({"test_accuracy": numbers, "l1_normalized_gap": numbers})
    expected = analysis.load_frame(table)["l1_normalized_gap"].tolist()
    columns = {
        "text": [str(number) for number in numbers],
        "decimal": [Decimal(str(number)) for number in numbers],
        "fraction": [Fraction(number) for number in numbers],
        "objects": pd.Series(numbers, dtype=object),
        "category": pd.Categorical(numbers),
        "mixed": ["0.5", 0.25, Decimal("0.125"), np.float32(0.75)],
        "nullable": pd.array(numbers, dtype="Float64"),
        "arrow": pd.array(numbers, dtype="float64[pyarrow]"),
        "sparse": pd.arrays.SparseArray(numbers),
    }
    for name, column in columns.items():
        frame = analysis.load_frame(table.assign(l1_normalized_gap=column, test_accuracy=column))
        assert frame["l1_normalized_gap"].astype(float).tolist() == expected, name
        assert frame["test_accuracy"].tolist() == expected, name
    with_hole = analysis.load_frame(table.assign(l1_normalized_gap=[0.5, "n/a", None, 0.75]))["l1_normalized_gap"]
    assert with_hole.isna().tolist() == [False, True, True, False]


def test_categories_of_numbers_that_are_no_metric_stay_names():
    frame = analysis.load_frame(pd.DataFrame({"test_accuracy": [0.5, 0.6], "batch": pd.Categorical([32, 64])}))
    assert isinstance(frame["batch"].dtype, pd.CategoricalDtype)


def test_columns_of_any_objects_are_kept_as_they_are():
    table = pd.DataFrame({"test_accuracy": [0.5, 0.6]})
    odd = [[1, 2], [3]], [{"a": 1}, {}], [np.ones(2), np.ones(3)], [1j, 2j], pd.to_datetime(["2026-01-01"] * 2)
    for column in odd:
        frame = analysis.load_frame(table.assign(odd=column))
        assert list(map(str, frame["odd"])) == list(map(str, column))
        assert other_metric_columns(frame) == []
        with pytest.raises(InvalidParameterError, match="column 'odd' must hold numbers"):
            analysis.correlate(frame, "test_accuracy", "odd")


def test_the_keys_of_a_grouped_table_are_columns_and_tables_of_other_libraries_are_read():
    table = pd.DataFrame({"method": ["er", "er", "erk"], "acc": [0.5, 0.6, 0.7], "dens": [0.1, 0.2, 0.1]})
    columns = {"acc": "test_accuracy", "dens": "l1_density"}
    frame = analysis.load_frame(table.groupby(["method", "dens"]).mean(), columns)
    assert frame[["method", "l1_density", "test_accuracy"]].values.tolist() == [
        ["er", 0.1, 0.5], ["er", 0.2, 0.6], ["erk", 0.1, 0.7]
    ]  # fmt: skip
    pd.testing.assert_frame_equal(
        analysis.load_frame(pyarrow.Table.from_pandas(table), columns), analysis.load_frame(table, columns)
    )
    for wrong in (table.to_dict("list"), table["acc"], table.to_numpy(), None):
        with pytest.raises(InvalidParameterError, match=f"but got {type(wrong).__name__}"):
            analysis.load_frame(wrong)


def test_shares_beside_percentages_are_counted_and_an_infinite_accuracy_is_missing():
    with pytest.raises(InvalidParameterError, match=r"divide percentages by 100 \(2 of 3 are above 1\)"):
        analysis.load_frame(pd.DataFrame({"test_accuracy": [0.9, 91.0, 92.0]}))
    frame = analysis.load_frame(pd.DataFrame({"test_accuracy": [0.9, -np.inf, np.inf]}))
    assert frame["test_accuracy"].isna().tolist() == [False, True, True]
    assert frame.attrs["reasons"]["test_accuracy"] == ["infinite in 2 rows"]


def test_tables_of_other_habits_are_read(tmp_path):
    rows = [{"acc": 0.5, "method": "er"}, {"acc": 0.25, "method": "erk"}]
    texts = {
        "lines.jsonl": '{"acc": 0.5, "method": "er"}\n{"acc": 0.25, "method": "erk"}\n',
        "spaces.csv": "acc, method\n0.5, er\n0.25, erk\n",
        "bars.csv": "acc|method\n0.5|er\n0.25|erk\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        frame = analysis.load_frame(tmp_path / name, {"acc": "test_accuracy"})
        assert frame[["test_accuracy", "method"]].rename(columns={"test_accuracy": "acc"}).to_dict("records") == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test_accuracy,total\n0.5,\"10,000\"\n", "total must hold numbers such as 0.93, but 1 of 1 rows do not"),
        ("test_accuracy,l1_density\n0.5,thin\n", "l1_density must hold numbers such as 0.93, but 1 of 1 rows do not"),
        ("test_accuracy,gap,gap\n0.5,1,2\n", "has the column 'gap' twice"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_meant_are_refused(tmp_path, text, message):
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    with pytest.raises(InvalidParameterError, match=message):
        analysis.load_frame(path)


def test_what_columns_must_be_and_how_files_must_be_encoded_is_said(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text("acc\n0.5\n", encoding="utf-16")
    with pytest.raises(StoreError, match="save it as UTF-8"):
        analysis.load_frame(path)
    for columns in (["acc"], {"acc": 3}):
        with pytest.raises(InvalidParameterError, match="columns must map the table's names to ours"):
            analysis.load_frame(pd.DataFrame({"acc": [0.5]}), columns)
    with pytest.raises(StoreError, match="no such store"):
        analysis.load_frame(tmp_path / "none.sqlite", {"acc": "test_accuracy"})
