"""Recipes for published tables: what they say where the tables are at hand, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.cli import main
from analysis.recipes import RECIPES
from tests.analysis.conftest import published
from topograph.errors import InvalidParameterError, UnknownNameError


def relational_graphs(n=400, seed=0):
    """A made-up table of graph2nn's form: density lifts accuracy and shortens paths; at fixed density, paths harm."""
    rng = np.random.default_rng(seed)
    density = rng.uniform(0.1, 1, size=n)
    own = rng.normal(size=n)
    table = pd.DataFrame({"graph": range(n), "graph_sparsity": density, "C": rng.normal(size=n)})
    table["L"] = 3 - 2 * density + 0.3 * own
    table["acc"] = 0.67 - 0.012 * density - 0.0015 * own + 0.002 * rng.normal(size=n)
    return table


def test_simpsons_case_in_words():
    found = analysis.reanalyse("graph2nn", relational_graphs())
    rows = found.correlations.set_index(["metric", "method"])["estimate"]
    assert rows["L", "pearson"] > 0.2
    assert rows["L", "within_cell_partial"] < -0.3
    assert "a link of the opposite sign remains" in found.verdicts[1]
    assert "not distinguishable from zero" in str(found.effects["C"])
    assert "held fixed" in str(found)


def test_a_link_that_is_not_there_raw_appears_and_does_not_remain():
    """Once: raw +0.01 (−0.12 … +0.14), within cells +0.55: "a link of the opposite sign remains"."""
    table = pd.DataFrame(
        {"metric": ["begin"] * 2, "method": ["pearson", "within_cell"], "estimate": [-0.01, 0.55], "low": [-0.14, 0.4],
         "high": [0.12, 0.67], "p_value": [0.9, 0.0], "n": [90] * 2, "n_clusters": [30] * 2}
    )  # fmt: skip
    (_, sentence) = analysis.verdicts(table)
    assert "a link appears, which is not distinguishable from zero raw" in sentence
    assert "remains" not in sentence


def test_ranks_that_point_the_other_way_are_said():
    """Two networks far from the others turn the pooled values, and leave the ranks."""
    rng = np.random.default_rng(0)
    cell, x = np.repeat(np.arange(6), 30), rng.normal(size=180)
    table = pd.DataFrame({"model": cell, "dataset": "a", "sparsity": 0.5, "mean_layer_density": rng.normal(size=180)})
    table["delta_r"], table["accuracy"] = x, 0.5 + 0.02 * x + 0.02 * rng.normal(size=180)
    far = cell == 0
    table.loc[far, "delta_r"] = 40 * x[far]
    table.loc[far, "accuracy"] = 0.5 - 0.08 * x[far]
    found = analysis.reanalyse("mge-snn", table)
    assert found.contradictions == ("delta_r",)
    assert "no verdict holds for both" in str(found)


def test_a_recipe_refuses_what_it_is_not_about(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'graph2nn'"):
        analysis.reanalyse("graph2n", relational_graphs())
    with pytest.raises(InvalidParameterError, match="lacks graph_sparsity"):
        analysis.reanalyse("graph2nn", relational_graphs().drop(columns="graph_sparsity"))
    with pytest.raises(InvalidParameterError, match="lacks L, C"):
        analysis.reanalyse("graph2nn", relational_graphs().drop(columns=["L", "C"]))
    (tmp_path / "table.xyz").write_text("a")
    with pytest.raises(InvalidParameterError, match="whose name ends in"):
        analysis.reanalyse("graph2nn", tmp_path / "table.xyz")


def test_reanalysing_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "theirs.csv"
    relational_graphs().to_csv(path, index=False)
    assert main(["reanalyse", "graph2nn", str(path)]) == 0
    said = capsys.readouterr().out
    assert "You, Leskovec, He & Xie (ICML 2020)" in said
    assert main(["reanalyse", "graph2nn", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 400
    assert main(["reanalyse", "graph2nn", str(tmp_path / "none.csv")]) == 1


def test_recipes_are_described():
    table = analysis.describe_recipes()
    assert list(table.index) == [recipe.name for recipe in RECIPES]
    assert (table["source"].str.len() > 20).all()


# what docs/beyond-density.md says of each table: method, metric, estimate, and whether its interval leaves zero out
PAGE = [
    ("graph2nn", "graph2nn_mlp_cifar10.csv.gz", "pearson", "L", 0.06, True),
    ("graph2nn", "graph2nn_mlp_cifar10.csv.gz", "within_cell_partial", "L", -0.31, True),
    ("graph2nn", "graph2nn_mlp_cifar10.csv.gz", "within_cell_partial", "C", -0.14, True),
    ("mge-snn", "mge-snn_networks.csv", "pearson", "delta_r", 0.24, True),
    ("mge-snn", "mge-snn_networks.csv", "within_cell", "delta_r", -0.05, False),
    ("mge-snn", "mge-snn_networks.csv", "within_cell_partial", "delta_r", -0.09, True),
    ("mge-snn", "mge-snn_networks.csv", "within_cell_partial", "lam_imsg", -0.14, True),
    ("mge-snn-unrolled", "mge-snn_unrolled.csv", "pearson", "spectral_gap", -0.17, True),
    ("mge-snn-unrolled", "mge-snn_unrolled.csv", "within_cell", "spectral_gap", -0.04, True),
    ("ramanujan-on-pai", "ramanujan-on-pai_main.csv", "within_cell_partial", "sm_mean", -0.17, False),
    ("ramanujan-on-pai", "ramanujan-on-pai_main.csv", "within_cell_partial", "ism_mean", -0.43, True),
    ("state-of-sparsity", "sos_magnitude_pruning.csv", "within_cell", "begin", 0.55, True),
    ("state-of-sparsity", "sos_random_pruning.csv", "within_cell", "end", -0.49, True),
    ("state-of-sparsity-learned", "sos_variational_dropout.csv", "partial", "label_smoothing", -0.12, False),
    ("shrinkbench", "shrinkbench_results.csv", "pearson", "OrigTop1", 0.97, True),
    ("shrinkbench", "shrinkbench_results.csv", "within_cell_partial", "OrigTop1", -0.34, False),
]


@pytest.fixture(scope="module")
def reanalysed():
    cache = {}

    def get(name, file):
        if file not in cache:
            cache[file] = analysis.reanalyse(name, published(file))
        return cache[file]

    return get


@pytest.mark.parametrize(("name", "file", "method", "metric", "estimate", "clear"), PAGE)
def test_the_page_says_what_the_tables_say(reanalysed, name, file, method, metric, estimate, clear):
    table = reanalysed(name, file).correlations.set_index(["metric", "method"])
    row = table.loc[(metric, method)]
    assert row["estimate"] == pytest.approx(estimate, abs=0.006)
    assert (row["low"] > 0 or row["high"] < 0) == clear


def test_the_page_names_the_tables_whose_ranks_disagree(reanalysed):
    assert reanalysed("mge-snn", "mge-snn_networks.csv").contradictions == ("delta_r", "rimdb")
    assert reanalysed("ramanujan-on-pai", "ramanujan-on-pai_main.csv").contradictions == ("ism_mean",)
    assert reanalysed("graph2nn", "graph2nn_mlp_cifar10.csv.gz").contradictions == ()
