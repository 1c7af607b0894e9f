from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analysis.prediction import LEARNERS, predict_unseen
from tests.analysis.conftest import simulated
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError

SETS = {"density": ["l1_log_density"], "density and gap": ["l1_log_density", "l1_normalized_gap"]}


def test_a_metric_that_matters_predicts_unseen_constructions():
    found = predict_unseen(simulated(0.03), SETS, held_out=["construction"], learners=["ridge", "forest"])
    table = found.table.set_index(["learner", "features"])
    for learner in ("ridge", "forest"):
        assert table.loc[(learner, "density and gap"), "high"] < 0
        assert table.loc[(learner, "density and gap"), "r_squared"] > table.loc[(learner, "density"), "r_squared"]
    assert np.isnan(table.loc[("ridge", "density"), "rmse_change"])
    assert "construction/ridge/density" in found.predictions
    rest = found.predictions["test_accuracy"] - found.predictions["construction/ridge/density"]
    assert np.sqrt((rest**2).mean()) == pytest.approx(table.loc[("ridge", "density"), "rmse"])
    assert "rmse_change" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_metric_that_does_not_matter_predicts_nothing_new():
    table = predict_unseen(simulated(0.0), SETS, held_out=["construction", "degrees"], learners=["ridge"]).table
    extra = table[table["features"] == "density and gap"]
    assert (extra["low"] < 0.001).all()
    assert (extra["high"] > -0.0005).all()
    assert list(extra["held_out"]) == ["construction", "degrees"]


def test_nothing_leaks_between_the_parts():
    """The outcome is a private number of each topology, and every topology is in two cells: only a leak predicts it."""
    rng = np.random.default_rng(0)
    frame = simulated(0.0, clusters=60, runs=2)
    secret = rng.random(60)
    frame["test_accuracy"] = secret[frame["topology_seed"]]
    frame["mark"] = secret[frame["topology_seed"]] * 0 + frame["topology_seed"]
    frame["half"] = np.where(frame["seed"] == 0, "a", "b")
    with pytest.raises(InsufficientDataError, match="nothing is left"):
        predict_unseen(frame, {"mark": ["mark"]}, held_out=["half"], learners=["forest"])


def test_a_run_of_no_known_topology_is_left_out():
    frame = simulated(0.0)
    frame.loc[:5, "topology_id"] = None
    found = predict_unseen(frame, SETS, held_out=["construction"], learners=["ridge"])
    assert len(found.predictions) == len(frame) - 6


def test_bad_arguments_are_refused_in_words():
    frame = simulated(0.01)
    with pytest.raises(InvalidParameterError, match="at least one set"):
        predict_unseen(frame, {})
    with pytest.raises(InvalidParameterError, match="none empty"):
        predict_unseen(frame, {"nothing": []})
    with pytest.raises(UnknownNameError, match="learner"):
        predict_unseen(frame, SETS, learners=["lasso"])
    with pytest.raises(UnknownNameError, match="column"):
        predict_unseen(frame, SETS, held_out=["family"])
    with pytest.raises(InsufficientDataError, match="two values"):
        predict_unseen(frame, SETS, held_out=["architecture"])


def test_the_forest_is_scikit_learns_to_the_last_bit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 7))
    y = x[:, 0] + x[:, 1] ** 2 + rng.normal(size=90)
    ours = LEARNERS["forest"]()
    options = {"n_estimators": 30, "max_features": 1 / 3, "min_samples_leaf": 3}
    theirs = make_pipeline(StandardScaler(), RandomForestRegressor(**options, random_state=0))
    assert np.array_equal(ours.fit(x, y).predict(x), theirs.fit(x, y).predict(x))
