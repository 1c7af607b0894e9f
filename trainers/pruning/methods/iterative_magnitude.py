"""Iterative magnitude pruning: train, remove the smallest weights, rewind, and again."""

from __future__ import annotations

from trainers.pruning.edges import Keep
from trainers.pruning.pruner import Pruner
from trainers.pruning.task import PruningTask


def choose(task: PruningTask) -> list[Keep]:
    """The edges of the last round of `trainers.pruning.tickets.find_tickets`."""
    assert task.train is not None
    keep: list[Keep] = task.train()
    return keep


IMP = Pruner(
    name="imp",
    summary="The weights of largest magnitude after training, a share of them removed and the rest rewound each round.",
    formula="|θ| after training, rewound",
    choose=choose,
    reference="Frankle & Carbin (2019), The lottery ticket hypothesis; Frankle, Dziugaite, Roy & Carbin (2020), Linear "
    "mode connectivity and the lottery ticket hypothesis",
    differences=(
        "Rewound to the start (2019) or to an early step (2020): rewind_to. A share per layer (2019, perceptrons) or "
        "over all layers (2020): scope. The optimizer's memory is not rewound, it begins at 0, as in the authors' code."
    ),
    options={"rate": 0.2, "rewind_to": 0},
    needs_data=True,
    needs_training=True,
)
