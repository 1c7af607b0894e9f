"""Whether the method that finds a mask explains the accuracy, or the graph: of known answers, and of a study."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import analysis
from analysis.found import has_found_masks
from topograph.errors import InsufficientDataError
from trainers.study import run_study

SEEDS = range(8)


def table(method_effect=0.0, graph_effect=0.0, ticket_effect=0.0, drift=0.0, seed=0):
    """Three pruners at two densities, their random tickets, and one rule on random masks."""
    rng = np.random.default_rng(seed)
    rows = []

    def add(construction, variant, rewiring, degrees, number, topology, gap, accuracy, final=np.nan):
        rows.append({
            "construction": construction, "variant": variant, "rewiring": rewiring, "degrees": degrees,
            "topology_seed": number, "seed": number, "topology_id": topology, "l1_normalized_gap": gap,
            "final_l1_normalized_gap": final, "test_accuracy": accuracy + rng.normal(scale=0.002),
        })  # fmt: skip

    for degrees, number in itertools.product(("3", "6"), SEEDS):
        base = 0.8 + 0.05 * (degrees == "6")
        for rank, pruner in enumerate(("magnitude", "snip", "synflow")):
            gap = 0.4 + 0.1 * rng.normal()
            name = f"{pruner}-{degrees}-{number}"
            accuracy = base + method_effect * rank + graph_effect * gap
            add(pruner, "plain", "none", degrees, number, name, gap, accuracy)
            add(pruner, "shuffled_layers", "none", degrees, number, f"{name}-t", gap, accuracy - ticket_effect * rank)
        gap = 0.5 + 0.05 * rng.normal()
        name = f"random-{degrees}-{number}"
        add("erdos_renyi", "plain", "none", degrees, number, name, gap, base, np.nan)
        add("erdos_renyi", "plain", "set", degrees, number, name, gap, base + 0.01, gap + drift + 0.01 * rng.normal())
    frame = pd.DataFrame(rows)
    for column, value in (("dataset", "digits"), ("trainer", "numpy"), ("architecture", "64-32-10")):
        frame[column] = value
    frame["l1_n_left"], frame["l1_n_right"] = 64.0, 32.0
    frame["l1_n_edges"] = frame["degrees"].astype(float) * 64
    frame["l1_density"] = frame["l1_n_edges"] / 2048
    frame["l1_log_density"] = np.log(frame["l1_density"])
    return analysis.load_frame(frame)


def said(found, start):
    (sentence,) = [sentence for sentence in found.sentences if sentence.startswith(start)]
    return sentence


def test_a_method_that_matters_is_told_from_a_graph_that_does_not():
    found = analysis.found_masks(table(method_effect=0.02))
    method, graph = found.explained.loc[("method", "connectivity")], found.explained.loc[("connectivity", "method")]
    assert method["share"] > 0.8
    assert method["p"] < 1e-4 < 0.05 < graph["p"]
    assert "Only the method is clear at 5 %" in said(found, "With the method known")


def test_a_graph_that_matters_is_told_from_methods_that_do_not():
    frame = table(graph_effect=0.2)
    found = analysis.found_masks(frame[frame["construction"] != "erdos_renyi"])
    assert found.explained.loc[("connectivity", "method"), "share"] > 0.8
    assert found.explained.loc[("method", "connectivity"), "p"] > 0.05
    assert "Only connectivity is clear at 5 %" in said(found, "With the method known")


def test_shares_are_those_of_regressions_within_densities():
    frame = table(method_effect=0.01, graph_effect=0.1)
    found = analysis.found_masks(frame)
    plain = frame[frame["variant"] == "plain"]
    graph = plain["final_l1_normalized_gap"].fillna(plain["l1_normalized_gap"])
    rest = plain["test_accuracy"] - plain.groupby("degrees")["test_accuracy"].transform("mean")
    slope = graph - graph.groupby(plain["degrees"]).transform("mean")
    assert found.explained.loc[("connectivity", "density"), "share"] == pytest.approx(
        np.corrcoef(rest, slope)[0, 1] ** 2
    )
    method = plain["construction"] + plain["rewiring"]
    between = plain["test_accuracy"].groupby([plain["degrees"], method]).transform("mean")
    assert 0 < found.explained.loc[("method", "density"), "share"] <= 1
    assert (
        found.explained.loc[("method", "density"), "share"]
        <= 1 - ((plain["test_accuracy"] - between) ** 2).sum() / (rest**2).sum() + 1e-12
    )


def test_random_tickets_are_compared_seed_by_seed():
    frame = table(method_effect=0.02, ticket_effect=0.015)
    found = analysis.found_masks(frame)
    row = found.controls.loc[("synflow", "shuffled_layers", "3")]
    part = frame[(frame["construction"] == "synflow") & (frame["degrees"] == "3")].set_index("topology_seed")
    differences = (
        part.loc[part["variant"] == "plain", "test_accuracy"]
        - part.loc[part["variant"] == "shuffled_layers", "test_accuracy"]
    )
    low, high = stats.t.interval(0.95, len(SEEDS) - 1, differences.mean(), stats.sem(differences))
    assert row[["difference", "low", "high"]].to_numpy(float) == pytest.approx([differences.mean(), low, high])
    assert row["seeds"] == row["pairs"] == len(SEEDS)
    whole = found.controls.loc[("synflow", "shuffled_layers", "all")]
    assert (whole["seeds"], whole["pairs"]) == (len(SEEDS), 2 * len(SEEDS))
    assert "better at 9.38 % and 18.8 %" in said(found, "synflow against their random tickets")
    assert "no difference is seen at 9.38 % and 18.8 %" in said(found, "magnitude against their random tickets")


@pytest.mark.parametrize(("ticket_effect", "low", "high"), [(0.0, 0.9, 1.0), (0.02, 0.0, 0.6)])
def test_what_the_edges_per_layer_predict_alone_is_what_the_tickets_show(ticket_effect, low, high):
    found = analysis.found_masks(table(method_effect=0.02, ticket_effect=ticket_effect))
    share = found.explained.loc[("mean of the random tickets", "density"), "share"]
    assert low <= share <= high
    assert f"explain {share:.0%}" in said(found, "What the edges per layer predict alone")


def test_rewiring_is_compared_with_the_same_networks_whose_edges_stay():
    found = analysis.found_masks(table())
    row = found.rules.loc[("erdos_renyi + set", "all")]
    assert row["low"] < 0.01 < row["high"]
    assert row["low"] > 0
    assert "better at 9.38 % and 18.8 %" in said(found, "erdos_renyi + set against the same networks")


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (0.1, "drifts towards better expanders"),
        (-0.1, "drifts away from better expanders"),
        (0.0, "is not seen to drift"),
    ],
)
def test_drift_is_said_with_its_direction_and_its_ends(drift, words):
    found = analysis.found_masks(table(drift=drift))
    sentence = said(found, f"erdos_renyi + set {words}")
    row = found.drifts.loc[("erdos_renyi + set", "l1_normalized_gap")]
    assert f"{row['first']:.3g} → {row['last']:.3g}" in sentence
    assert "16 first topologies" in sentence


def test_a_pruner_with_options_is_one():
    frame = table()
    frame["construction"] = frame["construction"].replace("snip", "snip(rounds=20)")
    found = analysis.found_masks(frame)
    assert said(found, "snip(rounds=20) against their random tickets")
    assert has_found_masks(frame[frame["construction"] == "snip(rounds=20)"].drop(columns="final_l1_normalized_gap"))


def test_one_seed_says_nothing_of_differences():
    frame = table()
    found = analysis.found_masks(frame[frame["topology_seed"] == 0])
    assert "with one seed, nothing more can be said" in said(found, "snip against")
    assert np.isnan(found.controls.loc[("snip", "shuffled_layers", "3"), "low"])


def test_a_study_of_drawn_masks_that_stay_has_no_such_section():
    frame = table()
    drawn = frame[(frame["construction"] == "erdos_renyi") & (frame["rewiring"] == "none")].drop(
        columns=["final_l1_normalized_gap", "rewiring"]
    )
    assert not has_found_masks(drawn)
    with pytest.raises(InsufficientDataError, match="no network of the frame was pruned or rewired"):
        analysis.found_masks(drawn)
    assert has_found_masks(frame)


def test_the_report_of_a_small_study_has_the_section_and_others_have_not(tmp_path):
    study = {
        "name": "found",
        "grid": {
            "datasets": "digits", "architectures": [64, 16, 10], "densities": [0.1, 0.3],
            "constructions": ["erdos_renyi", "snip", "magnitude"], "variants": ["plain", "shuffled_layers"],
            "rewirings": ["none", "set"], "topology_seeds": [0, 1], "training_seeds": [0, 1],
            "zip": ["topology_seeds", "training_seeds"],
        },
        "training": {"epochs": 2, "learning_rate": 0.1, "loss": "cross_entropy", "activation": "tanh",
                     "output_activation": "softmax", "initial_draws": "dense"},
    }  # fmt: skip
    run_study(study, tmp_path / "found.sqlite", workers=1, progress=False)
    frame = analysis.load_frame(tmp_path / "found.sqlite")
    found = analysis.found_masks(frame)
    assert set(found.controls.index.get_level_values("method")) == {"snip", "magnitude"}
    assert set(found.rules.index.get_level_values("method")) == {
        "erdos_renyi + set", "snip + set", "magnitude + set"
    }  # fmt: skip
    assert not found.notes
    page = analysis.report(frame, tmp_path / "report.html").path.read_text(encoding="utf-8")
    assert "Pruning and rewiring: the method or the graph" in page
    assert "snip + set" in page
