"""A result survives being written down."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import topograph as tg
from trainers import TrainingConfig, TrainingResult, get_trainer, load_dataset
from trainers.result import balanced_accuracy


@pytest.fixture(params=["float32", "float64"])
def result(request):
    mask = np.zeros((64, 3), dtype=bool)  # a layer without edges has no statistics
    topology = tg.Topology([mask, np.ones((3, 10), dtype=bool)])
    return get_trainer("numpy").train(topology, load_dataset("digits"), TrainingConfig(epochs=2, dtype=request.param))


def test_the_round_trip_through_json_is_exact(result):
    record = json.loads(json.dumps(result.to_record(weights=True), allow_nan=False))
    again = TrainingResult.from_record(record)
    assert again.to_record(weights=True) == result.to_record(weights=True)
    assert again.config == result.config
    for one, other in zip((*again.weights, *again.biases), (*result.weights, *result.biases), strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype == np.dtype(result.config.dtype)
        assert (one != other).sum() == 0
    pd.testing.assert_frame_equal(again.weight_stats, result.weight_stats)


def test_it_shows_itself(result):
    assert "test accuracy" in repr(result)
    assert "2 epochs" in repr(result)
    assert "<table>" in result._repr_html_()
    assert list(result.weight_stats.columns) == ["min", "max", "mean", "std"]
    assert result.weight_stats.loc["l2", "max"] == result.weights[1].data.max()


def test_without_weights_the_statistics_stay(result):
    again = TrainingResult.from_record(json.loads(json.dumps(result.to_record(), allow_nan=False)))
    assert again.weights == again.biases == ()
    assert np.isnan(again.weight_stats.loc["l1"]).all()
    assert again.weight_stats.loc["l2", "std"] == pytest.approx(result.weights[1].data.std())
    assert again.to_record() == result.to_record()
    assert again.history == dict(result.history)


def test_balanced_accuracy_is_the_mean_recall():
    rng = np.random.default_rng(0)
    labels, predicted = rng.choice([0, 1, 4], size=200), rng.integers(5, size=200)
    expected = np.mean([np.mean(predicted[labels == label] == label) for label in (0, 1, 4)])
    assert balanced_accuracy(predicted, labels) == pytest.approx(expected)
