"""`PaperResults`: the published networks of the paper's study, told apart by arm, density and architecture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.frame import layer_degrees
from analysis.frame.stored import from_store
from analysis.published import open_study
from trainers.study.publishing import Card, PublishedStudy

MAIN = "784-300-10"
"""The network that the paper looks at most."""
DEEP = "784-500-300-10"
OTHER_WIDTHS = {100: "784-100-10", 500: "784-500-10"}
"""The paper's other networks, by their hidden neurons."""
SIX = (
    "random_edge",
    "random_rotating",
    "random_regular",
    "regular_rotating",
    "long_short_rotating",
    "fibonacci_rotating",
)
"""The paper's constructions."""
_CONVERGED = {
    "epochs": 200,
    "learning_rate": 0.1,
    "loss": "cross_entropy",
    "output_activation": "softmax",
    "validation": 0.1,
    "patience": 5,
}
_DROPOUT = {"dropout_input": 0.2, "dropout_hidden": 0.5}
ARMS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "dropout": _DROPOUT,
    "fans": {"fans": "degrees"},
    "converged": _CONVERGED,
    "converged fans": _CONVERGED | {"fans": "degrees"},
    "converged dropout": _CONVERGED | _DROPOUT,
    "faster": {"learning_rate": 0.1},
}
"""Arm → the settings in which it differs from the paper's."""
OTHER = "other"


@dataclass(frozen=True)
class PaperResults:
    """The networks of the paper's study.

    Parameters
    ----------
    frame
        One row per network, as from `analysis.load_frame`, with the columns ``arm``, ``first`` and ``second`` (degrees
        of the first and of the last layer), ``share`` (density asked for of the first layer), ``accuracy`` (test
        accuracy in %), and ``epochs_trained``.
    card
        How far the study has been run.
    curves
        Thinned learning curves.
    """

    frame: pd.DataFrame
    card: Card
    curves: pd.DataFrame

    def networks(
        self,
        arm: str = "paper",
        *,
        architecture: str = MAIN,
        constructions: Iterable[str] = SIX,
        variant: str = "plain",
        first: float | None = None,
        share: float | None = None,
        second: float | None = 10,
    ) -> pd.DataFrame:
        """Some of the networks.

        Parameters
        ----------
        arm
            Key of `ARMS`.
        architecture, constructions, variant
            Which networks.
        first, second, share
            Degree of the first and of the last layer, and density of the first layer; None takes all.
        """
        frame = self.frame
        chosen = (frame["arm"] == arm) & (frame["architecture"] == architecture) & (frame["variant"] == variant)
        chosen &= frame["construction"].isin(list(constructions))
        for column, value in (("first", first), ("share", share), ("second", second)):
            if value is not None:
                chosen &= frame[column] == value
        return frame[chosen]

    def dense(self, arm: str = "paper", architecture: str = MAIN) -> pd.DataFrame:
        """The dense counterparts. Initial weights by the degrees are the same for them as by the dense layer."""
        arm = {"fans": "paper", "converged fans": "converged"}.get(arm, arm)
        return self.networks(arm, architecture=architecture, constructions=["dense"])

    def shares(self, arm: str = "paper", architecture: str = MAIN) -> list[float]:
        """The densities of the first layer that have networks, from the highest."""
        return sorted(set(self.networks(arm, architecture=architecture)["share"]), reverse=True)


def load_paper(source: str | os.PathLike[str] = "paper") -> PaperResults:
    """The networks of the paper's study.

    Parameters
    ----------
    source
        A published study: a name, or its folder.

    Raises
    ------
    StoreError
        When its files are missing, damaged, or of another version.
    """
    return results_of(open_study(source))


def results_of(published: PublishedStudy) -> PaperResults:
    """The networks of a published study that was made from ``studies/paper``."""
    frame = from_store(published)
    runs = published.runs_table
    changed = {text: _arm(json.loads(text)) for text in runs["changed"].unique()}
    widths = frame["architecture"].str.split("-").str[1].astype(float)
    last = frame["architecture"].str.count("-")
    second = [layer_degrees(frame, int(number)) for number in sorted(last.unique())]
    of_last = pd.concat(second, axis=1).to_numpy()[range(len(frame)), last.rank(method="dense").astype(int) - 1]
    frame = frame.assign(
        arm=runs["changed"].map(changed).to_numpy(),
        first=layer_degrees(frame, 1),
        second=of_last,
        share=(layer_degrees(frame, 1) / widths).round(4),
        accuracy=100 * frame["test_accuracy"],
        epochs_trained=runs["epochs_trained"].to_numpy(),
    )
    return PaperResults(frame, published.card, published.curves())


def _arm(changed: Mapping[str, Any]) -> str:
    return next((name for name, settings in ARMS.items() if dict(settings) == dict(changed)), OTHER)
