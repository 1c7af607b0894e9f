"""`merge_sums`: a neuron is a whole sum. What only a sum reads, as it is, hands its edges over to it.

So the unit after a residual block has the edges of its convolution and one from the block's input, and a gate of a
recurrent cell those of both its matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from topograph.model_graph.operators import Combination, Operator
from topograph.model_graph.references import Ids, References


def merge_sums(operators: Sequence[Operator], whole: Ids, n_units: int) -> list[Operator]:
    """The operators after sums took over the edges of terms that are not read elsewhere; those left empty are gone.

    Parameters
    ----------
    operators
        In the order of the model.
    whole
        Units that stay as they are: inputs, outputs, and those with an activation.
    n_units
        Number of units.
    """
    readers = np.zeros(n_units + 1, dtype=np.int64)
    readers[whole] = 2
    for operator in operators:
        for read in operator.reads:
            counts = np.bincount(read.places)[1:]
            readers[read.lowest : read.lowest + counts.size] += counts
    owner = np.full(n_units + 1, -1, dtype=np.int64)
    for number, operator in enumerate(operators):
        owner[operator.targets.ids] = number
    writers: dict[int, set[int]] = {number: {number} for number in range(len(operators))}
    for number, operator in enumerate(operators):
        if not isinstance(operator, Combination) or not operator.is_sum:
            continue
        terms, targets = operator.terms.ids.copy(), operator.targets.ids.ravel()
        for column in range(terms.shape[1]):
            units = terms[:, column]
            alone = (units > 0) & (readers[units] == 1)
            for producer in np.unique(owner[units[alone]]).tolist():
                rows = np.flatnonzero(alone & (owner[units] == producer))
                both = writers[producer] & writers[number]
                if _hand_over(operators, writers[producer], both, units[rows], targets[rows]):
                    terms[rows, column] = 0
                    writers[number] |= writers[producer]
        operator.terms = References(terms)
    return [each for each in operators if not (isinstance(each, Combination) and not each.terms.ids.any())]


def _hand_over(
    operators: Sequence[Operator],
    writers: set[int],
    in_both: set[int],
    units: Ids,
    targets: npt.NDArray[np.int32],
) -> bool:
    """Let the operators write ``targets`` in place of ``units``; False where one would write a unit twice.

    Only those ``in_both``, which write to the sum already, could.
    """
    order = np.argsort(units)
    ordered, new = units[order], targets[order]
    changed = {}
    for writer in writers:
        ids = operators[writer].targets.ids
        place = np.minimum(np.searchsorted(ordered, ids), ordered.size - 1)
        hit = ordered[place] == ids
        if not hit.any():
            continue
        replaced = np.where(hit, new[place], ids)
        if writer in in_both and np.unique(replaced).size < replaced.size:
            return False
        changed[writer] = References(replaced)
    for writer, references in changed.items():
        operators[writer].targets = references
    return True
