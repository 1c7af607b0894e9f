"""DropConnect: edges dropped at random while training. The conformance kit compares its course with the reference's."""

from __future__ import annotations

import numpy as np
import pytest

import topograph as tg
from topograph.errors import UnsupportedSettingError
from trainers import TrainingConfig, get_trainer, load_dataset
from trainers.conformance.reference import train_reference
from trainers.conformance.session import Task, make_data

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TASK = Task(tg.Topology.build("biregular_random", [8, 6, 4], [3, 2], seed=1), make_data(27, 8, 4, seed=3))


@pytest.mark.parametrize("trainer", ["pytorch", "pytorch_sparse"])
@pytest.mark.parametrize("changes", [{}, {"dropout_hidden": 0.5, "optimizer": "adam", "learning_rate": 0.01}])
def test_the_course_with_dropped_edges_is_the_reference_s(trainer, changes):
    config = TrainingConfig(**{"epochs": 3, "dropconnect": 0.4, "learning_rate": 0.3, "dtype": "float64"} | changes)
    result = get_trainer(trainer).train(*TASK, config)
    network, course = train_reference(*TASK, config)
    np.testing.assert_allclose(result.history["loss"], course.history["loss"], rtol=1e-7)
    for layer, expected in zip(result.weights, network.weights, strict=True):
        np.testing.assert_allclose(layer.toarray(), expected, atol=1e-8)
    plain = get_trainer(trainer).train(*TASK, config.replace(dropconnect=0.0))
    assert plain.history["loss"] != result.history["loss"]


@pytest.mark.parametrize("trainer", ["pytorch", "pytorch_sparse"])
def test_draws_of_the_backend_repeat_and_differ_from_those_of_numpy(trainer):
    config = TrainingConfig(epochs=2, dropconnect=0.4, dropout_draws="backend")
    first, again = (get_trainer(trainer).train(*TASK, config) for _ in range(2))
    assert first.history == again.history
    assert first.history["loss"] != get_trainer(trainer).train(*TASK, config.replace(dropout_draws="numpy")).history
    (one, two) = get_trainer(trainer).train_many([TASK.topology] * 2, TASK.dataset, [config, config.replace(seed=7)])
    np.testing.assert_allclose(one.history["loss"], first.history["loss"], rtol=1e-5)
    assert two.history["loss"] != one.history["loss"]


def test_the_share_of_edges_that_is_dropped_and_their_mean():
    from trainers.pytorch.training import StackCourse

    topology = tg.Topology.build("random_regular", [64, 40, 10], degrees=[20, 10], seed=0)
    for draws in ("numpy", "backend"):
        config = TrainingConfig(dropconnect=0.3, dropout_draws=draws)
        course = StackCourse([topology], load_dataset("digits"), [config], torch.device("cpu"), False, False)
        from trainers.initialization import dropconnect_generator

        generators = course._generators(0, dropconnect_generator, True)
        drops = [course._drops(generators)[0][0].numpy()[topology[0].to_mask()] for _ in range(20)]
        assert set(np.unique(drops).round(5)) == {0, np.float32(1 / 0.7).round(5)}
        assert np.mean(np.array(drops) == 0) == pytest.approx(0.3, abs=0.015)
        assert np.mean(drops) == pytest.approx(1, abs=0.02)


def test_nothing_else_is_drawn_anew_by_dropping_edges():
    """Streams of their own: neurons are dropped as they are without DropConnect of a share that drops nothing here."""
    from trainers.initialization import dropconnect_generator, dropout_generator

    config = TrainingConfig(dropconnect=0.4, dropout_hidden=0.5)
    a, b = dropout_generator(0, config).random(5), dropconnect_generator(0, config).random(5)
    assert not np.allclose(a, b)
    np.testing.assert_array_equal(a, dropout_generator(0, config.replace(dropconnect=0.0)).random(5))


def test_numpy_refuses_it_by_name():
    with pytest.raises(UnsupportedSettingError, match=r"dropconnect=0\.4"):
        get_trainer("numpy").train(*TASK, TrainingConfig(dropconnect=0.4))
