"""Every rule says what it should of networks whose accuracies were made up to fulfil or to break it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from analysis.paper import (
    CLAIMS,
    QUESTIONS,
    PaperResults,
    connectivity,
    constructions,
    densities,
    judge_claims,
    reasons,
    timing,
)
from analysis.paper.intervals import difference, mean_interval
from analysis.paper.judgement import HOLDS, IN_PART, NOT_HERE, NOT_RUN, UNTOLD, VERDICTS
from analysis.paper.results import DEEP, MAIN, SIX
from trainers.study.publishing import Card

SHARES = (0.01, 0.03, 0.1, 0.3)


def made_up(accuracy, *, arms=("paper",), shares=SHARES, seeds=3, architecture=MAIN, dense=90.0, variants=("plain",)):
    """Networks of every construction, density and seed with ``accuracy(row)`` in %, and dense ones around ``dense``.

    What goes beyond the rule is a small error that is known, so that intervals are narrow but not empty.
    """
    rows = []
    for arm, variant, construction, share, seed in itertools.product(arms, variants, SIX, shares, range(seeds)):
        rows.append({"arm": arm, "variant": variant, "construction": construction, "share": share, "seed": seed})
    for arm, seed in itertools.product(arms, range(4)):
        rows.append({"arm": arm, "variant": "plain", "construction": "dense", "share": 1.0, "seed": seed})
    frame = pd.DataFrame(rows)
    error = 0.02 * np.random.default_rng(0).standard_normal(len(frame))
    frame["accuracy"] = [
        dense if row["construction"] == "dense" else accuracy(row) for _, row in frame.iterrows()
    ] + error  # fmt: skip
    frame["architecture"] = architecture
    frame["first"] = (frame["share"] * 300).round()
    frame["second"] = 10.0
    frame["topology_seed"] = frame["seed"]
    frame["run_id"] = [f"run {i}" for i in range(len(frame))]
    frame["topology_id"] = frame["construction"] + frame["share"].astype(str) + frame["seed"].astype(str)
    frame["degrees"] = frame["first"].astype(str) + "-10"
    frame["test_accuracy"] = frame["accuracy"] / 100
    frame["l1_log_density"] = np.log(frame["share"])
    place = frame["construction"].map({name: i for i, name in enumerate((*SIX, "dense"))})
    frame["l1_normalized_gap"] = frame["share"] * (1 + place) + 0.001 * error
    frame["l1_algebraic_connectivity"] = 10 * frame["l1_normalized_gap"]
    frame["l1_weight_std"] = 0.1 / np.sqrt(frame["share"])
    return frame


def results(*frames):
    """Networks as results."""
    frame = pd.concat(frames, ignore_index=True)
    frame["run_id"] = [f"run {i}" for i in range(len(frame))]
    return PaperResults(frame, Card("made up", "MIT"), pd.DataFrame())


def nothing():
    """Results without a network."""
    return results(made_up(lambda row: 90.0).iloc[:0])


@pytest.mark.parametrize("claims", [CLAIMS, QUESTIONS])
def test_nothing_is_judged_before_it_is_run(claims, monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "TIMES", tmp_path / "none.csv")
    table = judge_claims(nothing(), claims)
    assert set(table["verdict"]) == {NOT_RUN}
    assert (table["networks"] == 0).all()
    assert table["measured"].str.startswith("needs ").all()


def test_every_verdict_is_one_of_the_words():
    table = judge_claims(results(made_up(lambda row: 90.0)))
    assert set(table["verdict"]) <= set(VERDICTS)


def test_no_drop_holds_when_accuracy_stays_down_to_ten_percent():
    found = densities.first_layer(results(made_up(lambda row: 90.0 if row["share"] >= 0.1 else 80.0)))
    assert found.verdict == HOLDS
    assert "1 %: −10.0" in found.measured
    assert (found.networks, found.topologies) == (6 * 4 * 3 + 4, 6 * 4 * 3 + 4)


def test_no_drop_does_not_hold_when_accuracy_falls_smoothly():
    found = densities.first_layer(results(made_up(lambda row: 90.0 + np.log10(row["share"]))))
    assert found.verdict == NOT_HERE


def test_no_drop_cannot_be_told_when_constructions_scatter():
    scattered = dict(zip(SIX, (88.0, 92.0, 88.5, 91.5, 88.2, 91.8), strict=True))
    assert densities.first_layer(results(made_up(lambda row: scattered[row["construction"]]))).verdict == UNTOLD


@pytest.mark.parametrize(("loss", "verdict"), [(0.0, HOLDS), (2.0, NOT_HERE)])
def test_the_second_layer_is_compared_with_all_of_its_outputs(loss, verdict):
    full = made_up(lambda row: 90.0)
    thin = full[full["construction"] != "dense"].assign(second=2.0)
    thin["accuracy"] -= loss
    found = densities.second_layer(results(full, thin))
    assert found.verdict == verdict
    assert "first layer at 1 %: 2 of 10 outputs" in found.measured
    assert found.networks == 2 * 6 * len(SHARES) * 3


def test_the_second_layer_is_judged_at_each_density_of_the_first():
    full = made_up(lambda row: 90.0)
    thin = full[full["construction"] != "dense"].assign(second=2.0)
    thin["accuracy"] -= 20 * (thin["share"] == min(SHARES))
    assert densities.second_layer(results(full, thin)).verdict == IN_PART


@pytest.mark.parametrize(("more", "verdict"), [(0.0, HOLDS), (2.0, NOT_HERE)])
def test_a_sparse_second_layer_is_compared_between_widths_at_equal_densities(more, verdict):
    """Its cost depends on the density of the first layer, and the narrow networks lack one density."""
    frames = []
    for architecture, shares, loss in ((MAIN, SHARES, 0.0), ("784-100-10", SHARES[1:], more)):
        full = made_up(lambda row: 90.0, architecture=architecture, shares=shares)
        thin = full[full["construction"] != "dense"].assign(second=2.0)
        frames += [full, thin.assign(accuracy=thin["accuracy"] - loss - 1 / thin["share"])]
    found = densities.second_layer_by_width(results(*frames))
    assert found.verdict == verdict
    assert found.measured.count("first layer at") == len(SHARES) - 1
    assert found.networks == 2 * 2 * 6 * (len(SHARES) - 1) * 3
    assert densities.second_layer_by_width(results(*frames[:2])).verdict == NOT_RUN


@pytest.mark.parametrize(("more", "verdict"), [(0.0, HOLDS), (-1.0, NOT_HERE)])
def test_other_widths_are_compared_by_their_distance_from_their_dense_networks(more, verdict):
    of_300 = made_up(lambda row: 89.0)
    of_100 = made_up(lambda row: 79.0 + more, architecture="784-100-10", dense=80.0)
    of_500 = made_up(lambda row: 94.0, architecture="784-500-10", dense=95.0)
    found = densities.widths(results(of_300, of_100, of_500))
    assert found.verdict == verdict
    assert "100 hidden neurons: dense 80.0" in found.measured
    assert densities.widths(results(of_300, of_100)).verdict == NOT_RUN


@pytest.mark.parametrize(("more", "verdict"), [(0.0, HOLDS), (-1.0, NOT_HERE)])
def test_dropout_is_independent_when_it_costs_sparse_and_dense_alike(more, verdict):
    plain = made_up(lambda row: 89.0)
    dropped = made_up(lambda row: 88.0 + more, arms=["dropout"], dense=89.0)
    assert densities.dropout(results(plain, dropped)).verdict == verdict
    trained = plain.assign(arm="converged"), dropped.assign(arm="converged dropout")
    assert reasons.dropout_after_training(results(*trained)).verdict == verdict


@pytest.mark.parametrize(("sparse", "verdict"), [(91.0, HOLDS), (89.0, NOT_HERE)])
def test_a_deeper_network_gains_or_loses(sparse, verdict):
    deep = made_up(lambda row: sparse, architecture=DEEP)
    assert densities.deeper(results(deep)).verdict == verdict


def test_constructions_differ_at_every_density_at_some_or_at_none():
    place = {name: i for i, name in enumerate(SIX)}
    assert constructions.constructions_differ(results(made_up(lambda row: place[row["construction"]]))).verdict == HOLDS
    at_one = results(made_up(lambda row: place[row["construction"]] * (row["share"] == 0.01)))
    assert constructions.constructions_differ(at_one).verdict == IN_PART
    assert constructions.constructions_differ(results(made_up(lambda row: 90.0))).verdict == UNTOLD


def test_one_network_of_each_construction_does_not_tell_them_apart():
    assert constructions.constructions_differ(results(made_up(lambda row: 90.0, seeds=1))).verdict == NOT_RUN


@pytest.mark.parametrize(("regular", "fibonacci", "verdict"), [(91, 91, HOLDS), (91, 89, IN_PART), (89, 89, NOT_HERE)])
def test_structured_constructions_are_compared_with_dense(regular, fibonacci, verdict):
    levels = {"regular_rotating": float(regular), "fibonacci_rotating": float(fibonacci)}
    found = constructions.structured_beat_dense(results(made_up(lambda row: levels.get(row["construction"], 90.0))))
    assert found.verdict == verdict


@pytest.mark.parametrize(("ahead", "verdict"), [(1.0, HOLDS), (-1.0, NOT_HERE)])
def test_fibonacci_is_compared_with_every_rival(ahead, verdict):
    fibonacci = made_up(lambda row: 90.0 + ahead * (row["construction"] == "fibonacci_rotating"))
    assert constructions.fibonacci_best(results(fibonacci)).verdict == verdict


def test_fibonacci_that_is_best_below_ten_percent_only_holds_in_part():
    def accuracy(row):
        sign = 2.0 if row["share"] < 0.1 else -2.0
        return 90.0 + sign * (row["construction"] == "fibonacci_rotating")

    assert constructions.fibonacci_best(results(made_up(accuracy))).verdict == IN_PART


def test_connectivity_differs_only_when_it_differs_more_than_within_a_construction():
    frame = made_up(lambda row: 90.0)
    assert connectivity.connectivity_differs(results(frame)).verdict == HOLDS
    noise = np.random.default_rng(0).random(len(frame))
    same = frame.assign(l1_normalized_gap=noise, l1_algebraic_connectivity=noise)
    assert connectivity.connectivity_differs(results(same)).verdict == NOT_HERE


def test_density_alone_is_not_taken_for_connectivity():
    frame = made_up(lambda row: 90.0 + 3 * np.log10(row["share"]))
    assert connectivity.connectivity_correlates(results(frame)).verdict == HOLDS
    assert connectivity.rather_than_density(results(frame)).verdict == UNTOLD


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, NOT_HERE)])
def test_connectivity_at_equal_degree_is_seen_with_its_sign(sign, verdict):
    place = {name: i for i, name in enumerate(SIX)}
    frame = made_up(lambda row: 90.0 + 3 * np.log10(row["share"]) + sign * 0.5 * place[row["construction"]])
    assert connectivity.rather_than_density(results(frame)).verdict == verdict


def test_weights_hold_in_part_when_they_grow_but_constructions_differ():
    frame = made_up(lambda row: 90.0)
    assert connectivity.weights_grow(results(frame)).verdict == HOLDS
    frame.loc[frame["construction"] == "random_edge", "l1_weight_std"] *= 1.5
    assert connectivity.weights_grow(results(frame)).verdict == IN_PART
    frame["l1_weight_std"] *= frame["share"]
    assert connectivity.weights_grow(results(frame)).verdict == NOT_HERE


@pytest.mark.parametrize(
    ("arm", "judge"),
    [("fans", reasons.initial_weights), ("converged", reasons.stopping_early), ("converged fans", reasons.both)],
)
@pytest.mark.parametrize(("left", "verdict"), [(0.0, HOLDS), (2.0, IN_PART), (5.0, NOT_HERE)])
def test_an_arm_takes_away_the_drop_or_some_of_it(arm, judge, left, verdict):
    paper = made_up(lambda row: 85.0)
    other = made_up(lambda row: 90.0 - left, arms=[arm])
    converged = made_up(lambda row: 85.0, arms=["converged"]) if arm == "converged fans" else other.iloc[:0]
    assert judge(results(paper, other, converged)).verdict == verdict


@pytest.mark.parametrize(("after", "verdict"), [(1.0, HOLDS), (-1.0, NOT_HERE), (0.0, UNTOLD)])
def test_independent_rows_are_compared_with_rotated_ones(after, verdict):
    def accuracy(row):
        gain = -1.0 if row["arm"] == "paper" else after
        return 90.0 + gain * (row["construction"] in reasons.INDEPENDENT)

    assert reasons.independent_rows(results(made_up(accuracy, arms=("paper", "converged")))).verdict == verdict


@pytest.mark.parametrize(("loss", "verdict"), [(1.0, HOLDS), (0.0, NOT_HERE)])
def test_alignment_is_seen_by_renumbering_the_inputs(loss, verdict):
    frame = made_up(lambda row: 90.0 - loss * (row["variant"] == "relabelled"), variants=("plain", "relabelled"))
    assert reasons.alignment(results(frame)).verdict == verdict


@pytest.mark.parametrize(("behind", "verdict"), [(1.0, HOLDS), (-1.0, NOT_HERE)])
def test_relabelled_masks_are_compared_with_random_ones(behind, verdict):
    variants = ("plain", "relabelled")
    frame = made_up(lambda row: 90.0 - behind * (row["variant"] == "relabelled"), arms=["converged"], variants=variants)
    assert reasons.beyond_alignment(results(frame)).verdict == verdict


@pytest.mark.parametrize(("gain", "verdict"), [(1.0, HOLDS), (0.0, NOT_HERE), (-1.0, NOT_HERE)])
def test_rewired_masks_are_compared_with_each_other(gain, verdict):
    variants = ("max algebraic_connectivity", "min algebraic_connectivity")
    frame = made_up(lambda row: 90.0 + gain * row["variant"].startswith("max"), variants=variants)
    assert reasons.rewired_connectivity(results(frame)).verdict == verdict


def test_times_are_compared_with_dense_for_every_backend():
    table = pd.DataFrame(
        {"trainer": ["a", "a", "b", "b"], "share": [0.1, 1.0, 0.1, 1.0], "seconds": [1.0, 4.0, 4.0, 4.0],
         "processor": "x"}
    )  # fmt: skip
    assert timing.judge_times(table).verdict == IN_PART
    assert timing.judge_times(table.iloc[:2]).verdict == HOLDS
    assert timing.judge_times(table.iloc[2:]).verdict == NOT_HERE
    assert "a 0.25× at 10 %" in timing.judge_times(table).measured


def test_intervals_cover_the_true_difference_as_often_as_they_say():
    rng = np.random.default_rng(0)
    inside = {"welch": 0, "pooled": 0, "mean": 0}
    for _ in range(1000):
        first, second = rng.normal(1.0, 1.0, 5), rng.normal(0.0, 1.0, 8)
        found = {"welch": difference(first, second), "pooled": difference(first, second, pooled=True),
                 "mean": mean_interval(first)}  # fmt: skip
        for name, interval in found.items():
            inside[name] += interval.low <= 1.0 <= interval.high
    assert all(0.93 < count / 1000 < 0.97 for count in inside.values()), inside
