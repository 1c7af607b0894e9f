"""Checks of ``train_model``, where a trainer has it: on small images, with the smallest registered models."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from topograph.errors import InvalidModelError, TopographError, TrainingDivergedError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.masks.building import maskable_layers
from topograph.masks.maskset import MaskSet
from trainers.config import TrainingConfig
from trainers.conformance.session import ADAM_RATE, Mismatch, Session, make_data
from trainers.conformance.settings import LaterConfig, Watched
from trainers.datasets import Dataset
from trainers.models import ModelSpec, available_models
from trainers.protocol import ModelTrainer
from trainers.result import TrainingResult

_MODELS = 2
_OFFERED: tuple[dict[str, Any], ...] = (
    {"optimizer": "adam", "learning_rate": ADAM_RATE},
    {"momentum": 0.5},
    {"nesterov": False},
    {"weight_decay": 0.05},
    {"clip_norm": 0.01},
    {"schedule": "linear"},
    {"loss": "cross_entropy", "output_activation": "sigmoid"},
    {"loss": "mse", "output_activation": "sigmoid"},
    {"batch_size": 5},
    {"validation": 0.3},
    {"dtype": "float64"},
    {"compression": "hashed"},
)
_DECIDED = {
    "activation": "tanh", "initialization": "he_uniform", "fans": "degrees", "bias": False, "dropout_input": 0.2,
    "dropout_hidden": 0.2, "dropconnect": 0.2,
}  # fmt: skip
_OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {},
    {"nesterov": False, "weight_decay": 0.01},
    {"optimizer": "adam", "learning_rate": ADAM_RATE},
)


@dataclass(frozen=True)
class ModelTask:
    """A model, its masks and the data to train on."""

    spec: ModelSpec
    masks: MaskSet
    dataset: Dataset


class ModelSession:
    """A trainer's ``train_model`` with the settings that the checks start from."""

    def __init__(self, session: Session) -> None:
        trainer: Any = session.trainer
        self.trainer, self.tasks = trainer, _tasks(trainer.framework)

    def config(self, **changes: Any) -> TrainingConfig:
        """Settings of a quick training, with changes."""
        quick = {"epochs": 2, "batch_size": 8, "learning_rate": 0.1, "loss": "cross_entropy"}
        return TrainingConfig(**{**quick, "output_activation": "softmax", **changes})

    def train(self, task: ModelTask, **changes: Any) -> TrainingResult:
        """Train a task with changed settings."""
        result: TrainingResult = self.trainer.train_model(task.spec, task.masks, task.dataset, self.config(**changes))
        return result

    def offers(self, task: ModelTask, **changes: Any) -> bool:
        """Whether the trainer offers these settings for models."""
        try:
            self.train(task, epochs=1, **changes)
        except UnsupportedSettingError:
            return False
        return True


def on_models(find: Callable[[ModelSession], Iterator[Mismatch]]) -> Callable[[Session], Iterator[Mismatch]]:
    """A check that is left out, with a note, for trainers that train chains only or refuse all models."""

    def check(session: Session) -> Iterator[Mismatch]:
        if not isinstance(session.trainer, ModelTrainer):
            session.notes.append("trains chains only")
            return
        models = ModelSession(session)
        if not models.tasks:
            session.notes.append(f"no model is registered for {models.trainer.framework!r}")
            return
        try:
            models.train(models.tasks[0], epochs=1)
        except UnsupportedSettingError as error:
            session.notes.append(f"no model was trained: {error}")
            return
        yield from find(models)

    return check


@on_models
def exact_masks(models: ModelSession) -> Iterator[Mismatch]:
    """The edges of the masks are stored, and no others; a layer without any passes nothing on.

    Without an edge into its outputs a network sees nothing of its samples. The gradient there is large, so that a mask
    that is forgotten for one step, in a velocity for example, shows in the losses.
    """
    for task in models.tasks:
        for changes in _OPTIMIZERS:
            if not models.offers(task, **changes):
                continue
            yield from _stored(task, models.train(task, **changes), changes)
            cut, blind = _without_outputs(task), _with_other_samples(_without_outputs(task))
            result, other = (models.train(one, **{"epochs": 3, **changes}) for one in (cut, blind))
            yield from _stored(cut, result, changes)
            if not np.allclose(result.history["loss"], other.history["loss"], rtol=1e-6, atol=0):
                yield (
                    f"{task.spec.label}: the same losses whatever the samples, {np.round(result.history['loss'], 6)}, "
                    "since no edge leads to an output",
                    f"{np.round(other.history['loss'], 6)} on other samples with the same labels: gradients, the "
                    f"optimizer's memory and weights must all be masked ({changes})",
                )


def _stored(task: ModelTask, result: TrainingResult, changes: dict[str, Any]) -> Iterator[Mismatch]:
    if len(result.weights) != len(task.masks):
        yield f"{task.spec.label}: weights of {len(task.masks)} masks", f"{len(result.weights)}"
        return
    for (name, graph), weights in zip(task.masks.items(), result.weights, strict=True):
        same = weights.shape == graph.shape and weights.nnz == graph.n_edges
        if not (same and (weights.indptr == graph.indptr).all() and (weights.indices == graph.indices).all()):
            yield (
                f"{task.spec.label}: weights at exactly the edges of {name}, {graph.n_edges} of {graph.shape}",
                f"{weights.nnz} of {weights.shape}, or at other edges, with {changes}",
            )


@on_models
def same_seed(models: ModelSession) -> Iterator[Mismatch]:
    """The same bits again, another training in between; other weights from another seed."""
    for task in models.tasks:
        first, other, again = (models.train(task, seed=seed) for seed in (0, 1, 0))
        if _bits(first) != _bits(again):
            yield f"{task.spec.label}: the same bits from the same seed", "others"
        if _bits(first) == _bits(other):
            yield f"{task.spec.label}: other weights from another seed", "the same"


@on_models
def settings(models: ModelSession) -> Iterator[Mismatch]:
    """Each setting changes the course or is refused by name; what a model decides is refused by name."""
    task = models.tasks[0]
    usual = _bits(models.train(task))
    for changes in _OFFERED:
        name = next(iter(changes))
        try:
            result = models.train(task, **changes)
        except UnsupportedSettingError as error:
            if name not in str(error):
                yield f"the setting {name} to be named where it is refused", f"UnsupportedSettingError: {error}"
            continue
        if _bits(result) == usual:
            yield f"another course with {changes}, or {name} to be refused by name", "the same"
        if name == "dtype" and {str(array.dtype) for array in result.weights} != {changes[name]}:
            yield f"weights of dtype {changes[name]}", f"{result.weights[0].dtype}"
    later = LaterConfig(**models.config(epochs=1).to_record(), a_later_setting=1.0)
    asked = [(name, models.config(epochs=1, **{name: value})) for name, value in _DECIDED.items()]
    for name, config in [*asked, ("a_later_setting", later)]:
        expected = f"{name}={getattr(config, name)!r} to be refused by name, for models"
        try:
            models.trainer.train_model(task.spec, task.masks, task.dataset, config)
        except UnsupportedSettingError as error:
            if name not in str(error):
                yield expected, f"UnsupportedSettingError: {error}"
        else:
            yield expected, "it trained"


@on_models
def refusals(models: ModelSession) -> Iterator[Mismatch]:
    """Settings and masks that do not fit, and what is not a model, are refused before a sample is read."""
    task, config = models.tasks[0], models.config(epochs=1)
    wrong = models.config(epochs=1)
    object.__setattr__(wrong, "optimizer", "a later value")
    name = next(iter(task.masks))
    shape = task.masks[name].shape
    larger = BipartiteGraph.from_mask(np.ones((shape[0] + 1, shape[1] + 1), dtype=bool))
    asked: tuple[tuple[Any, Any, TrainingConfig, type[TopographError], str], ...] = (
        (task.spec, task.masks, wrong, UnsupportedSettingError, "optimizer"),
        (task.spec, MaskSet({name: larger}), config, InvalidModelError, task.spec.label),
        (task.spec, MaskSet({"no such layer": larger}), config, InvalidModelError, task.spec.label),
        (task.spec, MaskSet({}), config, InvalidModelError, task.spec.label),
        (3, task.masks, config, InvalidModelError, "int"),
    )
    data = task.dataset
    for model, masks, settings_, kind, words in asked:
        watched = Watched("watched", data.x_train, data.y_train, data.x_test, data.y_test, data.shape).watch()
        expected = f"{kind.__name__} that says {words!r}"
        try:
            models.trainer.train_model(model, masks, watched, settings_)
        except kind as error:
            if words not in str(error):
                yield expected, str(error)
            if watched.__dict__["read"]:
                yield f"{expected}, before any sample is read", f"{watched.__dict__['read'][0]} was read first"
        except Exception as error:
            yield expected, f"{type(error).__name__}: {error}"
        else:
            yield expected, "it trained"


@on_models
def inputs_untouched(models: ModelSession) -> Iterator[Mismatch]:
    """A live model, masks, data and the global random states are as before; and it is trained from its weights."""
    task = models.tasks[0]
    live = task.spec.build(task.dataset, seed=0)
    weights = _numbers(live)
    edges = [(graph.indptr.copy(), graph.indices.copy()) for graph in task.masks.values()]
    samples = task.dataset.x_train.copy()
    before_all, before_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(271828)  # noqa: NPY002
    random.seed(271828)
    try:
        drawn, python = np.random.get_state(), random.getstate()  # noqa: NPY002
        trained = models.trainer.train_model(live, task.masks, task.dataset, models.config(seed=0))
        now, python_now = np.random.get_state(), random.getstate()  # noqa: NPY002
    finally:
        np.random.set_state(before_all)  # noqa: NPY002
        random.setstate(before_python)
    if python != python_now or any(not np.array_equal(a, b) for a, b in zip(drawn, now, strict=True)):
        yield "the global random states of NumPy and of Python as they were", "changed"
    if any(not np.array_equal(a, b) for a, b in zip(weights, _numbers(live), strict=True)):
        yield "a live model as it was", "changed"
    if _bits(trained) != _bits(models.train(task, seed=0)):
        yield "a live model to be trained from the weights that it has", "another course than from the same weights"
    if any(
        (graph.indptr != indptr).any() or (graph.indices != indices).any()
        for graph, (indptr, indices) in zip(task.masks.values(), edges, strict=True)
    ):
        yield "the masks as they were", "changed"
    if not np.array_equal(samples, task.dataset.x_train):
        yield "the samples as they were", "changed"


@on_models
def result_of_models(models: ModelSession) -> Iterator[Mismatch]:
    """Names, counts, history and the record are complete, and the network has learnt something."""
    for task in models.tasks:
        result, config = models.train(task, epochs=12), models.config(epochs=12)
        label = task.spec.label
        if result.config != config or result.trainer != models.trainer.name:
            yield f"{label}: the config and the trainer's name in its result", f"{result.trainer!r}, {result.config}"
        if list(result.weight_stats.index) != list(task.masks) or list(result.topology or ()) != list(task.masks):
            yield (
                f"{label}: weight_stats and topology by the names of the masks {list(task.masks)}",
                f"{list(result.weight_stats.index)} and {result.topology!r}",
            )
        for name in ("loss", "train_accuracy", "test_accuracy"):
            if len(result.history.get(name, ())) != 12:
                yield f"{label}: 12 values of {name}", f"{len(result.history.get(name, ()))}"
        if result.total != len(task.dataset.y_test) or result.history["test_accuracy"][-1] != result.test_accuracy:
            yield f"{label}: the last test_accuracy of the history as its own", f"{result!r}"
        try:
            record = json.loads(json.dumps(result.to_record(weights=True)))
            back = TrainingResult.from_record(record)
            if not all(np.array_equal(a.data, b.data) for a, b in zip(back.weights, result.weights, strict=True)):
                yield f"{label}: the weights again from its record", "others"
        except (TypeError, ValueError, KeyError) as error:
            yield f"{label}: a record that JSON takes", f"{type(error).__name__}: {error}"
        if not result.history["loss"][-1] < result.history["loss"][0]:
            yield f"{label}: a loss that falls in 12 epochs", f"{result.history['loss']}"


@on_models
def divergence(models: ModelSession) -> Iterator[Mismatch]:
    """A step size beyond all reason breaks a model, and the trainer says so."""
    task = models.tasks[0]
    try:
        result = models.train(task, epochs=4, learning_rate=1e30, loss="mse", output_activation="linear")
    except TrainingDivergedError as error:
        if "epoch" not in str(error):
            yield "TrainingDivergedError that names the epoch", str(error)
    except UnsupportedSettingError:
        return
    else:
        yield "TrainingDivergedError", f"a result with losses {result.history['loss']}"


@cache
def _tasks(framework: str) -> tuple[ModelTask, ...]:
    """Tasks for the registered models of a framework with the fewest weights."""
    sizes = {}
    for name in available_models(framework):
        layers, _ = maskable_layers(ModelSpec(name).build((8, 8), 3))
        sizes[name] = sum(layer.room for layer in layers)
    return tuple(_task(ModelSpec(name)) for name in sorted(sizes, key=lambda name: sizes[name])[:_MODELS])


def _task(spec: ModelSpec) -> ModelTask:
    flat = make_data(40, 64, 3, tests=20)
    data = Dataset("conformance", flat.x_train, flat.y_train, flat.x_test, flat.y_test, shape=(8, 8))
    masks = MaskSet.build(spec.build(data), "erdos_renyi", density=0.4, allocation="er", seed=0)
    return ModelTask(spec, masks, data)


def _without_outputs(task: ModelTask) -> ModelTask:
    """The same task without an edge in layers as wide as there are classes."""
    classes = task.dataset.n_classes
    graphs = {
        name: BipartiteGraph.from_mask(np.zeros(graph.shape, dtype=bool)) if graph.n_right == classes else graph
        for name, graph in task.masks.items()
    }
    return ModelTask(task.spec, MaskSet(graphs), task.dataset)


def _with_other_samples(task: ModelTask) -> ModelTask:
    """The same task with the same labels, and samples turned upside down."""
    data = task.dataset
    x_train, x_test = 1 - data.x_train, 1 - data.x_test
    return ModelTask(task.spec, task.masks, Dataset(data.name, x_train, data.y_train, x_test, data.y_test, data.shape))


def _bits(result: TrainingResult) -> tuple[object, ...]:
    return (*(weights.data.tobytes() for weights in result.weights), *sorted(result.history.items()), result.correct)


def _numbers(model: Any) -> list[Any]:
    """The numbers of a live model of PyTorch or Keras."""
    if hasattr(model, "state_dict"):
        return [value.detach().cpu().numpy().copy() for value in model.state_dict().values()]
    return [np.array(value) for value in model.get_weights()]
