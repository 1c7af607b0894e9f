"""Families of random graphs that spectral solvers get wrong, and an independent reference for all quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csgraph

from topograph import BipartiteGraph

Mask = npt.NDArray[np.bool_]
Draw = Callable[[np.random.Generator], Mask]

LARGEST = 60  # side of the random graphs: dense LAPACK on the whole matrix is the reference


def _sides(rng: np.random.Generator, low: int = 2) -> tuple[int, int]:
    n, m = rng.integers(low, LARGEST, size=2)
    return int(n), int(m)


def random(rng: np.random.Generator) -> Mask:
    return rng.random(_sides(rng)) < rng.uniform(0.05, 0.95)


def left_regular(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng)
    return rng.random((n, m)).argsort(axis=1) < rng.integers(1, m + 1)


def rotating(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng)
    base = rng.permutation(m) < rng.integers(1, m + 1)
    return np.stack([np.roll(base, i) for i in range(n)])


def turning(rng: np.random.Generator) -> Mask:
    """Rotating with m | n: the closed form, also transposed."""
    m, turns = int(rng.integers(2, 30)), int(rng.integers(1, 4))
    base = rng.permutation(m) < rng.integers(1, m + 1)
    mask = np.stack([np.roll(base, i) for i in range(m * turns)])
    return mask if rng.random() < 0.5 else mask.T


def band(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng, 8)
    i, j = np.arange(n)[:, None] / n, np.arange(m)[None, :] / m
    return np.abs(i - j) <= rng.uniform(0.02, 0.3)


def community(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng, 8)
    same = rng.integers(0, 2, n)[:, None] == rng.integers(0, 2, m)[None, :]
    return rng.random((n, m)) < np.where(same, rng.uniform(0.3, 0.9), rng.uniform(0.0, 0.05))


def two_blobs(rng: np.random.Generator) -> Mask:
    n, m = int(rng.integers(4, 30)), int(rng.integers(4, 30))
    mask = np.zeros((2 * n, 2 * m), dtype=bool)
    mask[:n, :m] = rng.random((n, m)) < 0.7
    mask[n:, m:] = mask[:n, :m]
    mask[0, m] = True
    return mask


def power_law(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng, 8)
    left, right = rng.pareto(1.5, n) + 0.2, rng.pareto(1.5, m) + 0.2
    return rng.random((n, m)) < np.minimum(np.outer(left, right) * rng.uniform(0.05, 0.4), 1)


def sparse(rng: np.random.Generator) -> Mask:
    """Disconnected, with isolated nodes and many small components."""
    n, m = _sides(rng)
    return rng.random((n, m)) < rng.uniform(0.3, 1.5) / max(n, m)


def star(rng: np.random.Generator) -> Mask:
    mask = np.ones((1, int(rng.integers(1, LARGEST))), dtype=bool)
    return mask if rng.random() < 0.5 else mask.T


def complete(rng: np.random.Generator) -> Mask:
    return np.ones(_sides(rng, 1), dtype=bool)


def nearly_complete(rng: np.random.Generator) -> Mask:
    mask = np.ones(_sides(rng), dtype=bool)
    mask[rng.integers(mask.shape[0]), rng.integers(mask.shape[1])] = False
    return mask


def matching(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng, 1)
    return np.eye(n, m, dtype=bool)


def copies(rng: np.random.Generator) -> Mask:
    """Disjoint copies: every singular value is multiple, the largest too."""
    small = rng.random((int(rng.integers(2, 8)), int(rng.integers(2, 8)))) < 0.6
    return np.kron(np.eye(int(rng.integers(2, 5)), dtype=bool), small).astype(bool)


def product(rng: np.random.Generator) -> Mask:
    """A connected graph with multiple eigenvalues: a rotation tensored with a complete block."""
    return np.kron(rotating(rng)[:12, :12], np.ones((2, 2), dtype=bool)).astype(bool)


def crown(rng: np.random.Generator) -> Mask:
    """Complete minus a perfect matching: three distinct eigenvalues, Krylov spaces of dimension two."""
    return ~np.eye(int(rng.integers(3, LARGEST)), dtype=bool)


def tree(rng: np.random.Generator) -> Mask:
    n, m = _sides(rng)
    mask = np.zeros((n, m), dtype=bool)
    mask[0, 0] = True
    left, right = [0], [0]
    for i, j in zip(range(1, n), range(1, m), strict=False):
        mask[i, rng.choice(right)] = True
        left.append(i)
        mask[rng.choice(left), j] = True
        right.append(j)
    for i in range(len(left), n):
        mask[i, rng.choice(right)] = True
    for j in range(len(right), m):
        mask[rng.choice(left), j] = True
    return mask


def cycle(rng: np.random.Generator) -> Mask:
    n = int(rng.integers(2, LARGEST))
    return (np.eye(n) + np.roll(np.eye(n), 1, axis=1)) > 0


def path(rng: np.random.Generator) -> Mask:
    n = int(rng.integers(2, LARGEST))
    return (np.eye(n) + np.eye(n, k=1)) > 0


FAMILIES: dict[str, Draw] = {
    f.__name__: f
    for f in (
        random, left_regular, rotating, turning, band, community, two_blobs, power_law, sparse, star, complete,
        nearly_complete, matching, copies, product, crown, tree, cycle, path,
    )
}  # fmt: skip


def graphs(count: int, seed: int = 0) -> Iterator[tuple[str, BipartiteGraph]]:
    """``count`` graphs, the families in turn, the same for the same seed."""
    for number in range(count):
        yield draw(seed, number)


def draw(seed: int, number: int) -> tuple[str, BipartiteGraph]:
    """One of them, and the family it is from."""
    name = list(FAMILIES)[number % len(FAMILIES)]
    return name, BipartiteGraph.from_mask(FAMILIES[name](np.random.default_rng([seed, number])))


def reference(mask: npt.ArrayLike) -> dict[str, float]:
    """All quantities by LAPACK on the whole dense matrices; zeros are counted by search, never read off.

    ``mask`` may hold weights.
    """
    b = np.abs(np.asarray(mask, dtype=float))
    n, m = b.shape
    adjacency = np.block([[np.zeros((n, n)), b], [b.T, np.zeros((m, m))]])
    laplacian = np.diag(adjacency.sum(axis=0)) - adjacency
    count, labels = csgraph.connected_components(adjacency, directed=False)
    if not b.any():
        nan = float("nan")
        return {
            "algebraic_connectivity": 0.0, "laplacian_gap": nan, "giant_connectivity": nan, "laplacian_max": nan,
            "laplacian_second_max": nan, "sigma1": 0.0, "sigma2": 0.0, "adjacency_gap": 0.0, "normalized_sigma2": nan,
            "normalized_gap": nan, "giant_normalized_gap": nan,
        }  # fmt: skip
    eigenvalues = np.linalg.eigvalsh(laplacian)
    nonzero = eigenvalues[count:]
    sigmas = np.append(np.linalg.svd(b, compute_uv=False), 0.0)
    sizes = np.array([((b != 0).sum(axis=1) * (labels[:n] == c)).sum() for c in range(count)])
    giant = min(range(count), key=lambda c: (-sizes[c], -(labels == c).sum(), c))
    inside = labels == giant
    rows, columns = b.sum(axis=1) > 0, b.sum(axis=0) > 0
    core = b[rows][:, columns]
    scaled = core / np.sqrt(np.outer(core.sum(axis=1), core.sum(axis=0)))
    normalized = np.append(np.linalg.svd(scaled, compute_uv=False), 0.0)
    with_edges = np.count_nonzero(sizes)
    lump = b[inside[:n]][:, inside[n:]]
    lump = lump / np.sqrt(np.outer(lump.sum(axis=1), lump.sum(axis=0)))
    second = 1.0 if with_edges > 1 else float(normalized[1])
    return {
        "algebraic_connectivity": float(eigenvalues[1]) if count == 1 else 0.0,
        "laplacian_gap": float(nonzero[0]),
        "giant_connectivity": float(np.linalg.eigvalsh(laplacian[inside][:, inside])[1]),
        "laplacian_max": float(nonzero[-1]),
        "laplacian_second_max": float(nonzero[-2]) if nonzero.size > 1 else float("nan"),
        "sigma1": float(sigmas[0]),
        "sigma2": float(sigmas[1]),
        "adjacency_gap": float(sigmas[0] - sigmas[1]),
        "normalized_sigma2": second,
        "normalized_gap": 1.0 - second,
        "giant_normalized_gap": 1.0 - float(np.append(np.linalg.svd(lump, compute_uv=False), 0.0)[1]),
    }
