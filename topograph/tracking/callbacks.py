"""Thin callbacks for the loops of others: PyTorch Lightning, Hugging Face's Trainer, Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from topograph.checks import check_choice
from topograph.packages import require

if TYPE_CHECKING:
    from topograph.tracking.tracker import Tracker


def make_callback(framework: str, tracker: Tracker) -> Any:
    """A callback that updates a tracker after every epoch; see `Tracker.callback`.

    Raises
    ------
    InvalidParameterError
        When the framework is another.
    MissingDependencyError
        When it is not installed; the message names the extra.
    """
    return CALLBACKS[check_choice("framework", framework, CALLBACKS)]()(tracker)


@cache
def _lightning() -> Any:
    lightning = require("lightning.pytorch", "lightning")

    class LightningTracking(lightning.Callback):  # type: ignore[misc, name-defined, unused-ignore]
        """Updates a tracker after every epoch of Lightning's `Trainer`, the sanity check left out."""

        def __init__(self, tracker: Tracker) -> None:
            self.tracker = tracker

        def on_train_batch_end(self, *_: Any) -> None:
            """Note the masks that were trained."""
            self.tracker.trained()

        def on_validation_epoch_start(self, trainer: Any, *_: Any) -> None:
            """Note the masks that are evaluated."""
            if not trainer.sanity_checking:
                self.tracker.evaluated()

        def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
            """Look at the masks."""
            if trainer.is_global_zero:
                self.tracker.update(trainer.current_epoch, **_numbers(trainer.callback_metrics))

    return LightningTracking


@cache
def _transformers() -> Any:
    transformers = require("transformers", "transformers")

    class TransformersTracking(transformers.TrainerCallback):  # type: ignore[misc, name-defined, unused-ignore]
        """Updates a tracker after every epoch of Hugging Face's `Trainer`."""

        def __init__(self, tracker: Tracker) -> None:
            self.tracker = tracker

        def on_step_end(self, *_: Any, **__: Any) -> None:
            """Note the masks that were trained."""
            self.tracker.trained()

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Look at the masks."""
            if state.is_world_process_zero:
                self.tracker.update(round(state.epoch or 0))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Note what the trainer logs at the end of an epoch, which comes after it."""
            if state.is_world_process_zero and state.epoch == round(state.epoch or 0):
                self.tracker.note(round(state.epoch), **_numbers(logs or {}))

        def on_evaluate(self, *_: Any, **__: Any) -> None:
            """Note the masks that were evaluated; what the evaluation found is logged."""
            self.tracker.evaluated()

    return TransformersTracking


@cache
def _keras() -> Any:
    keras = require("keras", "keras")

    class KerasTracking(keras.callbacks.Callback):  # type: ignore[misc, name-defined, unused-ignore]
        """Updates a tracker after every epoch of Keras' `fit`."""

        def __init__(self, tracker: Tracker) -> None:
            super().__init__()
            self.tracker = tracker

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Note the masks that were trained."""
            self.tracker.trained()

        def on_test_begin(self, logs: Any = None) -> None:
            """Note the masks that are evaluated."""
            self.tracker.evaluated()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """Look at the masks."""
            self.tracker.update(epoch, **_numbers(logs or {}))

    return KerasTracking


CALLBACKS: dict[str, Callable[[], Any]] = {"lightning": _lightning, "transformers": _transformers, "keras": _keras}
"""Framework → what makes the class of its callback, which imports the framework."""


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among what a framework logs."""
    numbers = {}
    for name, value in values.items():
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
        if abs(number) < float("inf"):
            numbers[str(name)] = number
    return numbers
