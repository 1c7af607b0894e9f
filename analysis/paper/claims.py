"""`CLAIMS`: what the paper says, in its order, each with the rule that judges it on the published results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.paper import connectivity, constructions, densities, reasons, timing
from analysis.paper.judgement import Judgement
from analysis.paper.results import PaperResults


@dataclass(frozen=True)
class Claim:
    """Something that is said of sparse networks, and how it is judged.

    Parameters
    ----------
    words
        The claim, in a few words of ours.
    where
        The part of the paper that it belongs to; empty for a question of our own.
    rule
        When it holds, in words.
    judge
        What judges it.
    """

    words: str
    where: str
    rule: str
    judge: Callable[[PaperResults], Judgement]


CLAIMS = (
    Claim(
        "Accuracy does not drop until well below 10 % of the first layer's edges",
        "figure 2",
        "no loss of more than 0.25 points from 10 % on",
        densities.first_layer,
    ),
    Claim(
        "The same for the second layer",
        "figure 2",
        "no loss of more than 0.25 points from 2 of 10 outputs on, at each density of the first layer",
        densities.second_layer,
    ),
    Claim(
        "Constructions differ at equal degree",
        "figure 3",
        "analysis of variance at each density, p < 0.05 after Bonferroni",
        constructions.constructions_differ,
    ),
    Claim(
        "Regular and Fibonacci beat the dense network at medium density",
        "figure 3",
        "for both, some density from 20 % on with an interval, widened for their number, above zero",
        constructions.structured_beat_dense,
    ),
    Claim(
        "Fibonacci is best overall, and below 10 %",
        "figure 3",
        "its mean paired difference to every other construction is above zero, intervals for five comparisons",
        constructions.fibonacci_best,
    ),
    Claim(
        "Sparsity acts independently of dropout",
        "figure 4",
        "dropout changes sparse and dense networks alike, within 0.25 points",
        densities.dropout,
    ),
    Claim(
        "A deeper network gains 0.15 points at 30 %",
        "figure 4",
        "784-500-300-10 at 30 % is above its dense counterpart",
        densities.deeper,
    ),
    Claim(
        "Connectivity differs between constructions",
        "figure 5",
        "the constructions' means are further apart than three standard deviations within one",
        connectivity.connectivity_differs,
    ),
    Claim(
        "Accuracy goes with connectivity",
        "figure 5",
        "Spearman's correlation over all densities is above zero for both measures",
        connectivity.connectivity_correlates,
    ),
    Claim(
        "It is connectivity rather than density",
        "abstract",
        "correlation among networks of equal degrees is above zero for both measures",
        connectivity.rather_than_density,
    ),
    Claim(
        "Weights grow with sparsity, and not with the construction",
        "figure 6",
        "they grow from each density to the next lower one for every construction, and differ by less than 10 % at "
        "equal degree",
        connectivity.weights_grow,
    ),
    Claim(
        "Sparse networks train in less time",
        "abstract",
        "every backend that was timed needs less than 0.9 of the dense network's time per epoch up to 10 %",
        timing.shorter_training,
    ),
)
"""The paper's claims."""

QUESTIONS = (
    Claim(
        "Sparsity costs 100 and 500 hidden neurons as much as 300",
        "",
        "their distances from their dense counterparts differ by less than 0.25 points at each density",
        densities.widths,
    ),
    Claim(
        "A sparse second layer costs 100 hidden neurons as much as 300",
        "",
        "their losses against networks with all outputs, paired by construction, differ by less than 0.25 "
        "points at each degree and density of the first layer",
        densities.second_layer_by_width,
    ),
    Claim(
        "Sparsity acts independently of dropout once training no longer improves",
        "",
        "as for the paper's setting",
        reasons.dropout_after_training,
    ),
    Claim(
        "The drop comes from initial weights that are too small for few edges",
        "",
        "with initial weights by the degrees no loss of more than 0.25 points is left",
        reasons.initial_weights,
    ),
    Claim(
        "The drop comes from stopping in the middle of training",
        "",
        "trained until it no longer improves, no loss of more than 0.25 points is left",
        reasons.stopping_early,
    ),
    Claim("The drop comes from both", "", "with both, no loss of more than 0.25 points is left", reasons.both),
    Claim(
        "Constructions still differ once training no longer improves",
        "",
        "as for the paper's setting",
        reasons.constructions_after_training,
    ),
    Claim(
        "Rows drawn independently overtake rotated rows once training no longer improves",
        "",
        "their difference, paired by density and seed, is above zero then, and was not in the paper's setting",
        reasons.independent_rows,
    ),
    Claim(
        "Connectivity matters at equal degree once training no longer improves",
        "",
        "as for the paper's setting",
        reasons.connectivity_after_training,
    ),
    Claim(
        "Structured constructions owe accuracy to how they lie on the image",
        "",
        "renumbering the inputs, which leaves the graph as it is, costs accuracy: everywhere, or in part more than "
        "0.25 points",
        reasons.alignment,
    ),
    Claim(
        "Structured constructions owe accuracy to how they lie on the image once training no longer improves",
        "",
        "as above",
        reasons.alignment_after_training,
    ),
    Claim(
        "Badly connected graphs stay behind even where their alignment with the image is gone, trained on",
        "",
        "random edge and random regular beat every structured construction with renumbered inputs, or in part some by "
        "more than 0.25 points",
        reasons.beyond_alignment,
    ),
    Claim(
        "More connectivity at exactly equal degrees brings accuracy",
        "",
        "masks rewired to be well connected beat those rewired to be badly connected",
        reasons.rewired_connectivity,
    ),
    Claim(
        "More connectivity at exactly equal degrees brings accuracy once training no longer improves",
        "",
        "as above",
        reasons.rewired_after_training,
    ),
)
"""Questions of our own: why it comes out so."""


def judge_claims(results: PaperResults, claims: tuple[Claim, ...] = CLAIMS) -> pd.DataFrame:
    """Judge claims on the published results.

    Parameters
    ----------
    results
        The networks of the paper's study.
    claims
        `CLAIMS`, or `QUESTIONS`.

    Returns
    -------
    pandas.DataFrame
        One row per claim: ``claim``, ``where``, ``rule``, ``measured``, ``networks``, ``topologies``, ``verdict``.
    """
    rows = []
    for claim in claims:
        found = claim.judge(results)
        rows.append(
            (claim.words, claim.where, claim.rule, found.measured, found.networks, found.topologies, found.verdict)
        )
    columns = ["claim", "where", "rule", "measured", "networks", "topologies", "verdict"]
    return pd.DataFrame(rows, columns=columns)
