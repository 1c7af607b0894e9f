"""No result depends on the order of the rows, or on what topologies are called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import analysis
from tests.analysis.conftest import simulated


def results(frame: pd.DataFrame) -> dict[str, list[float]]:
    """The numbers of every analysis."""
    gap, features = (
        "l1_normalized_gap",
        {"density": ["l1_log_density"], "both": ["l1_log_density", "l1_normalized_gap"]},
    )
    correlations = analysis.correlate(frame, "test_accuracy", [gap, "other"], control="l1_log_density")
    effect = analysis.effect(frame, gap)
    experiment = analysis.experiment(frame, gap, resamples=100)
    assert experiment.alignment is not None
    assert experiment.connectivity is not None
    plan = analysis.plan(frame, gap, points=1.0)
    difference = analysis.compare_correlations(frame, "test_accuracy", gap, "other")
    prediction = analysis.predict_unseen(frame, features, held_out=["construction"], resamples=100)
    return {
        "correlate": correlations[["estimate", "low", "high", "p_holm"]].to_numpy().ravel().tolist(),
        "per cell": analysis.correlate_per_cell(frame, "test_accuracy", [gap]).means["low"].tolist(),
        "effect": [effect.change, effect.low, effect.detectable],
        "fit": analysis.fit(frame, f"test_accuracy ~ l1_log_density + {gap}").coefficients["low"].tolist(),
        "mixed": analysis.fit(frame, f"test_accuracy ~ {gap}", model="mixed").coefficients["low"].tolist(),
        "experiment": [experiment.connectivity.low, *experiment.alignment["low"].sort_index()],
        "share": list(experiment.alignment_share),
        "plan": [plan.topologies, plan.low, plan.high, plan.found],
        "difference": [difference.low, difference.high],
        "prediction": prediction.table[["rmse", "low", "high"]].to_numpy().ravel().tolist(),
    }


def test_no_result_depends_on_the_order_of_rows_or_the_names_of_topologies():
    frame = simulated(0.01, clusters=48, runs=2).assign(other=lambda rows: np.cos(30 * rows["l1_normalized_gap"]))
    frame["variant"] = np.array(["plain", "rewired", "relabelled"])[frame["topology_seed"] // 3 % 3]
    expected = results(frame)
    names = {name: f"{number * 7919 % 48:03d}" for number, name in enumerate(frame["topology_id"].unique())}
    renamed = frame.assign(topology_id=frame["topology_id"].map(names))
    for changed in (frame.sample(frac=1, random_state=1), renamed.sort_values("test_accuracy", ascending=False)):
        for name, numbers in results(changed).items():
            assert numbers == pytest.approx(expected[name], rel=1e-6, abs=1e-9, nan_ok=True), name


def test_predictions_stay_in_the_order_of_the_frame():
    frame = simulated(0.01, clusters=12)
    shuffled = frame.sample(frac=1, random_state=1)
    predictions = analysis.predict_unseen(
        shuffled, {"gap": ["l1_normalized_gap"]}, held_out=["construction"]
    ).predictions
    assert predictions["test_accuracy"].tolist() == shuffled["test_accuracy"].tolist()
    assert predictions["topology_id"].tolist() == shuffled["topology_id"].tolist()
