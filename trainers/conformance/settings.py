"""Checks that a setting is either followed or refused by name, and never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from topograph.errors import TopologyMismatchError, UnsupportedSettingError
from topograph.topology import Topology
from trainers.config import CHOICES, TrainingConfig
from trainers.conformance.session import Mismatch, Session, small_task
from trainers.datasets import Dataset

# each differs from the paper's in the setting named first; the others make it visible or possible
_CHANGES: tuple[dict[str, Any], ...] = (
    {"optimizer": "adam", "learning_rate": 0.01},
    {"momentum": 0.0},
    {"momentum": 0.5},
    {"nesterov": False},
    {"weight_decay": 0.05},
    {"weight_decay": 0.05, "optimizer": "adam", "learning_rate": 0.01},
    {"schedule": "linear"},
    {"schedule": "cosine"},
    {"schedule": "step"},
    {"loss": "cross_entropy"},
    {"loss": "cross_entropy", "output_activation": "softmax"},
    {"activation": "tanh"},
    {"activation": "relu"},
    {"activation": "leaky_relu"},
    {"activation": "linear"},
    {"output_activation": "softmax"},
    {"output_activation": "tanh"},
    {"output_activation": "linear", "learning_rate": 0.05},
    {"output_activation": "relu", "learning_rate": 0.05},
    {"output_activation": "leaky_relu", "learning_rate": 0.05},
    {"initialization": "glorot_uniform"},
    {"initialization": "he_normal"},
    {"initialization": "he_uniform"},
    {"fans": "degrees"},
    {"bias": False},
    {"dropout_input": 0.25},
    {"dropout_hidden": 0.5, "dropout_input": 0.2},
    {"dropout_draws": "backend", "dropout_hidden": 0.5},
    {"dropconnect": 0.4},
    {"dropconnect": 0.3, "dropout_hidden": 0.5, "optimizer": "adam", "learning_rate": 0.01},
    {"validation": 0.3},
    {"patience": 2, "validation": 0.3, "epochs": 25, "learning_rate": 3.0},
)


def base_settings(session: Session) -> Iterator[Mismatch]:
    """The settings that the checks start from are not refused."""
    if session.refusal:
        yield (
            f"{session.describe({})} to be offered, since the checks change them one by one; for other settings, "
            "call check_trainer(trainer, config=TrainingConfig(...)) with settings that the trainer offers",
            f"UnsupportedSettingError: {session.refusal}",
        )


def settings(session: Session) -> Iterator[Mismatch]:
    """Each setting changed by itself: the course is the reference's, or the setting is refused by name."""
    task = small_task(seed=2)
    paper = TrainingConfig()
    for changes in (*_CHANGES, *({name: getattr(paper, name)} for name in session.base)):
        name = next(iter(changes))
        asked = {"epochs": 4, **changes}
        try:
            config = session.config(**asked)
        except UnsupportedSettingError:
            continue  # the change and the session's own settings exclude each other
        try:
            result = session.train(task, **asked)
        except UnsupportedSettingError as error:
            if not any(setting in str(error) for setting in changes):
                yield f"the setting {name} to be named where it is refused", f"UnsupportedSettingError: {error}"
            value = changes[name]
            if value not in session.refused.setdefault(name, []):
                session.refused[name].append(value)
            continue
        if config.dropout_draws == "backend":  # its own draws: only their existence can be checked
            without = session.train(task, epochs=4)
            if result.history["loss"] == without.history["loss"]:
                yield f"another course with {changes}", "the same as without dropout"
            if session.train(task, **asked).history != result.history:
                yield f"the same dropout from the same seed with {changes}", "another course"
            continue
        for expected, came in session.compare(task, result, config):
            yield f"{expected}, or {name}={changes[name]!r} to be refused by name", f"{came}, with {changes}"
    yield from _clipping(session)
    for dtype in CHOICES["dtype"]:
        if "dtype" in session.base:
            break
        try:
            result = session.train(task, dtype=dtype)
        except UnsupportedSettingError:
            session.refused.setdefault("dtype", []).append(dtype)
            continue
        kinds = {str(array.dtype) for array in (*result.weights, *result.biases)}
        if kinds != {dtype}:
            yield f"weights and biases of dtype {dtype}, as asked for", f"{', '.join(sorted(kinds))}"


def _clipping(session: Session) -> Iterator[Mismatch]:
    """A setting of models: chains follow it, or refuse it by name."""
    task = small_task(seed=2)
    try:
        result = session.train(task, clip_norm=1e-3)
    except UnsupportedSettingError as error:
        if "clip_norm" not in str(error):
            yield "the setting clip_norm to be named where it is refused", f"UnsupportedSettingError: {error}"
    else:
        if result.history["loss"] == session.train(task).history["loss"]:
            yield "another course with clip_norm=0.001, or clip_norm to be refused by name", "the same"


@dataclass(frozen=True, kw_only=True)
class LaterConfig(TrainingConfig):
    """A config as a later version may have it."""

    a_later_setting: float = 0.0


def later_settings(session: Session) -> Iterator[Mismatch]:
    """A setting of a later version is refused by name, and so is an unknown value of each enumerated setting."""
    task = small_task()
    later = LaterConfig(**session.config(epochs=1).to_record(), a_later_setting=1.0)
    asked: list[tuple[str, TrainingConfig]] = [("a_later_setting", later)]
    for name in CHOICES:
        config = session.config(epochs=1)
        object.__setattr__(config, name, "a later value")
        asked.append((name, config))
    for name, config in asked:
        expected = f"{name}={getattr(config, name)!r} to be refused by name with UnsupportedSettingError"
        try:
            session.trainer.train(task.topology, task.dataset, config)
        except UnsupportedSettingError as error:
            if name not in str(error):
                yield expected, f"UnsupportedSettingError: {error}"
        except Exception as error:
            yield expected, f"{type(error).__name__}: {error}"
        else:
            yield expected, "it trained"


class Watched(Dataset):
    """A data set that records which of its samples are read; their numbers may be asked for."""

    def watch(self) -> Watched:
        """Start recording."""
        numbers = {"n_classes": self.n_classes, "features": super().n_features, "samples": super().n_train}
        self.__dict__.update(**numbers, read=[])
        return self

    @property
    def n_features(self) -> int:
        """Number of inputs."""
        return self._number("features", super().n_features if "features" not in self.__dict__ else 0)

    @property
    def n_train(self) -> int:
        """Number of training samples."""
        return self._number("samples", super().n_train if "samples" not in self.__dict__ else 0)

    def _number(self, name: str, read: int) -> int:
        number: int = self.__dict__.get(name, read)
        return number

    @cached_property
    def content_hash(self) -> str:
        """Not of the samples, which are not to be read."""
        return ""

    def __getattribute__(self, name: str) -> Any:
        if name in ("x_train", "y_train", "x_test", "y_test"):
            object.__getattribute__(self, "__dict__").get("read", []).append(name)
        return object.__getattribute__(self, name)


def early_refusal(session: Session) -> Iterator[Mismatch]:
    """Settings and topologies are refused before a sample is read, with the reason."""
    task = small_task()
    data = task.dataset
    offered, config = session.config(epochs=1), session.config(epochs=1)
    object.__setattr__(config, "optimizer", "a later value")
    for topology, asked, kind, words in (
        (task.topology, config, UnsupportedSettingError, "optimizer"),
        (Topology.build("dense", [5, 3]), offered, TopologyMismatchError, "6"),
        (Topology.build("dense", [6, 4]), offered, TopologyMismatchError, "3"),
    ):
        watched = Watched("watched", data.x_train, data.y_train, data.x_test, data.y_test).watch()
        expected = f"{kind.__name__} that says {words!r}"
        try:
            session.trainer.train(topology, watched, asked)
        except kind as error:
            if words not in str(error):
                yield expected, str(error)
            if watched.__dict__["read"]:
                yield f"{kind.__name__} before any sample is read", f"{watched.__dict__['read'][0]} was read first"
        except Exception as error:
            yield expected, f"{type(error).__name__}: {error}"
        else:
            yield expected, f"it trained {topology.architecture} on 6 features and 3 classes, {asked.optimizer!r}"
