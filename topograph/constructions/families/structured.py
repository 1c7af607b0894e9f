"""N:M structured sparsity: what sparse tensor cores can run."""

from __future__ import annotations

import numpy as np

from topograph.checks import check_integer
from topograph.constructions.guarantees import EXACT_EDGES, RIGHT_REGULAR, Guarantee
from topograph.constructions.registry import Connected, construction
from topograph.constructions.rows import uniform_subsets
from topograph.errors import InvalidParameterError
from topograph.graph import BipartiteGraph


def _keeps_as_many_per_group(graph: BipartiteGraph, group: int) -> bool:
    kept = graph.to_mask(int).reshape(-1, group, graph.n_right).sum(axis=1)
    return bool(kept.min() == kept.max())


_N_OF_EVERY_M = Guarantee(
    "N of every M consecutive inputs", lambda g, k, o: _keeps_as_many_per_group(g, o.get("group", 4))
)


@construction(
    "n_m_structured",
    summary="drawn so that each output keeps N random ones of every M consecutive inputs (N = `keep`, M = `group`)",
    guarantees=(EXACT_EDGES, RIGHT_REGULAR, _N_OF_EVERY_M),
    reference="Mishra et al. (2021), Accelerating Sparse Deep Neural Networks, arXiv:2104.08378 (2:4); Zhou et al. "
    "(2021), Learning N:M Fine-grained Structured Sparse Neural Networks From Scratch, arXiv:2102.04010",
    random=True,
    sized_by="fixed",
    implied_degree=True,
    connected=Connected("k = m", lambda n, m, k: k == m),
    examples=((12, 7, {}), (12, 8, {"degree": 2}), (9, 4, {"group": 3, "keep": 2})),
)
def n_m_structured(
    n_left: int,
    n_right: int,
    degree: float | None,
    generator: np.random.Generator,
    group: int = 4,
    keep: int | None = None,
) -> BipartiteGraph:
    """N of every M inputs of each output; without a degree 2 of 4.

    ``group`` (M) divides the number of inputs; the degree, when given, is N · m / M for a whole N, which ``keep`` gives
    directly.
    """
    group = check_integer("group", group, low=1)
    if n_left % group:
        near = sorted({max(group, n_left - n_left % group), n_left + group - n_left % group})
        raise InvalidParameterError(
            f"groups of {group} inputs need n_left to be a multiple of {group}, but got n_left={n_left}; "
            f"the nearest are {' and '.join(map(str, near))}"
        )
    if degree is None:
        keep = check_integer("keep", max(1, group // 2) if keep is None else keep, low=1, high=group)
    elif keep is not None:
        raise InvalidParameterError(f"give keep or a degree, not both: got keep={keep}, degree={degree}")
    else:
        keep = round(degree * group / n_right)
        if not 1 <= keep <= group or abs(keep * n_right / group - degree) > 1e-9 * n_right:
            exact = degree * group / n_right
            near = sorted({min(max(1, int(exact)), group), min(max(1, int(exact) + 1), group)})
            raise InvalidParameterError(
                f"each output keeps a whole number of every {group} inputs, so degree={degree:g} (density "
                f"{degree / n_right:.3g}) cannot be had; the nearest are "
                + " and ".join(f"degree={n * n_right / group:g} ({n}:{group})" for n in near)
            )
    groups = n_left // group
    inputs = uniform_subsets(n_right * groups, keep, group, generator).reshape(n_right, groups * keep)
    inputs += np.repeat(np.arange(groups, dtype=np.int32) * group, keep)
    indptr = np.arange(n_right + 1, dtype=np.int64) * (groups * keep)
    return BipartiteGraph(n_right, n_left, indptr, inputs.reshape(-1)).transpose()
