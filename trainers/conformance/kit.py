"""`check_trainer`: all checks on one trainer."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from topograph.checks import check_integer
from topograph.errors import ConformanceError, UnknownNameError, UnsupportedSettingError
from trainers.conformance import (
    compression,
    determinism,
    divergence,
    learning,
    many,
    masks,
    models,
    results,
    rewiring,
    settings,
    side_effects,
    sizes,
)
from trainers.conformance.report import ConformanceReport, Failure, Finding
from trainers.conformance.session import Mismatch, Session
from trainers.protocol import Trainer, TrainingConfig
from trainers.registry import get_trainer


@dataclass(frozen=True)
class Check:
    """A check, and the words of the contract that it enforces.

    Parameters
    ----------
    find
        Function of a session that yields mismatches.
    of
        Class whose documentation holds the words: ``"Trainer"``, ``"MultiTrainer"``, ``"ModelTrainer"``,
        ``"TrainingResult"`` or ``"TrainingConfig"``.
    words
        Quotation from the contract.
    """

    find: Callable[[Session], Iterator[Mismatch]]
    of: str
    words: str

    @property
    def contract(self) -> str:
        """The place and the words."""
        return f"trainers.{self.of}: “{self.words}”"


_DRAWN = "Initial weights and batch order come from `trainers.initialization`"
CHECKS = {
    "base_settings": Check(settings.base_settings, "Trainer", "Trains a network on a fixed topology."),
    "protocol": Check(results.protocol, "Trainer", "NumPy in, NumPy out: no framework's tensor crosses."),
    "exact_mask": Check(masks.exact_mask, "Trainer", "The mask holds exactly, at every step"),
    "unseen_inputs": Check(masks.unseen_inputs, "Trainer", "momentum never revives an edge"),
    "same_seed": Check(determinism.same_seed, "Trainer", "The same topology, data set and config give the same result"),
    "gradients": Check(learning.gradients, "TrainingConfig", "mean over outputs and samples of (y − t)²"),
    "first_100_steps": Check(learning.first_100_steps, "Trainer", "so that backends can be compared step by step"),
    "batch_order": Check(learning.batch_order, "Trainer", _DRAWN),
    "settings": Check(settings.settings, "Trainer", "A setting that it does not offer is refused by name"),
    "later_settings": Check(settings.later_settings, "Trainer", "A setting that it does not offer is refused by name"),
    "early_refusal": Check(settings.early_refusal, "Trainer", "before any sample is read"),
    "inputs_untouched": Check(
        side_effects.inputs_untouched,
        "Trainer",
        "Neither the topology, the data set nor NumPy's global random state",
    ),
    "history": Check(results.history, "TrainingResult", "``train_accuracy`` as they ran during the epoch"),
    "result_of_weights": Check(
        results.result_of_weights, "TrainingResult", "Number of test samples classified correctly"
    ),
    "record": Check(results.record, "Trainer", "The result is complete"),
    "odd_shapes": Check(learning.odd_shapes, "TrainingResult", "with exactly the topology's edges stored"),
    "larger_network": Check(sizes.larger_network, "Trainer", "so that backends can be compared step by step"),
    "drawn_sizes": Check(sizes.drawn_sizes, "Trainer", "so that backends can be compared step by step"),
    "divergence": Check(divergence.divergence, "Trainer", "raises `TrainingDivergedError` at the end of that epoch"),
    "learns_digits": Check(learning.learns_digits, "Trainer", "Trains a network on a fixed topology."),
    "rewiring": Check(rewiring.rewiring, "Trainer", "edges that stay keep weight and velocity"),
    "compression": Check(compression.compression, "Trainer", "the matrices that its compressed layers make"),
    "model_masks": Check(models.exact_masks, "ModelTrainer", "The masks hold exactly, at every step"),
    "model_seed": Check(models.same_seed, "ModelTrainer", "give the same result, to the bit, on one device"),
    "model_settings": Check(models.settings, "ModelTrainer", "Settings that the model decides"),
    "model_refusals": Check(
        models.refusals, "ModelTrainer", "Masks that do not fit are refused before any sample is read"
    ),
    "model_inputs": Check(
        models.inputs_untouched,
        "ModelTrainer",
        "Neither the masks, the data set, a model that was given nor a global random state is changed",
    ),
    "model_result": Check(
        models.result_of_models, "TrainingResult", "A trained network and the course of its training"
    ),
    "model_compression": Check(
        compression.compressed_models, "ModelTrainer", "linear layers whose masks leave out edges are compressed"
    ),
    "model_divergence": Check(models.divergence, "ModelTrainer", "The contract of ``train_model`` is that of"),
    "train_many": Check(many.train_many, "MultiTrainer", "what ``train`` returns, equal within rounding"),
}
"""Name → check, in the order in which they run."""


def check_trainer(
    trainer: str | Trainer,
    *,
    only: Iterable[str] | None = None,
    config: TrainingConfig | None = None,
    seed: int | None = None,
) -> ConformanceReport:
    """Check a trainer against the whole contract, in seconds, or a minute or two where it compiles.

    Parameters
    ----------
    trainer
        Name of a trainer, or the trainer itself.
    only
        Names of the checks to run, as in ``CHECKS``; all by default.
    config
        Settings that the checks start from and change one by one; the paper's by default. Give settings that the
        trainer offers where it does not offer the paper's.
    seed
        Seed of the sizes that some checks draw; by default another one each time. The report names it, so that a run
        can be repeated.

    Returns
    -------
    ConformanceReport
        Checks that passed, and settings that the trainer refuses by name.

    Raises
    ------
    ConformanceError
        When the trainer breaks the contract: every failure, with the expected and the actual result and a quotation.
    UnknownNameError
        For a check that does not exist.
    """
    names = list(CHECKS) if only is None else list(only)
    for name in names:
        if name not in CHECKS:
            raise UnknownNameError.among("check", name, CHECKS)
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    session = Session(get_trainer(trainer), config, check_integer("seed", seed, low=0))
    if session.refusal:  # nothing can be trained: one failure says so
        names, left_out = ["base_settings"], tuple(name for name in names if name != "base_settings")
    else:
        left_out = ()
    findings = tuple(_run(name, CHECKS[name], session) for name in names)
    refused = {name: tuple(values) for name, values in sorted(session.refused.items())}
    drawn = session.seed if session.has_drawn else None
    report = ConformanceReport(session.trainer.name, findings, refused, drawn, left_out)
    if report.failures:
        raise ConformanceError(str(report))
    return report


def _run(name: str, check: Check, session: Session) -> Finding:
    session.notes.clear()
    mismatches: list[Mismatch] = []
    try:
        mismatches.extend(check.find(session))
    except UnsupportedSettingError as error:
        mismatches.append(("the check's settings to be offered", f"UnsupportedSettingError: {error}"))
    except Exception as error:  # any error of a trainer is a failure
        frame = traceback.extract_tb(error.__traceback__)[-1]
        mismatches.append(("no error", f"{type(error).__name__}: {error} ({frame.filename}, line {frame.lineno})"))
    failures = tuple(Failure(name, expected, came, check.contract) for expected, came in mismatches)
    return Finding(name, failures, "; ".join(session.notes))
