"""Compiled walks over pairs of nodes: common neighbours, distances, reachability, cores.

Importing this module imports numba, so only metrics that need it import it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.compiling import compiled

WORDS = 8
"""Words of 64 bits that are walked together: one breadth-first search starts from that many nodes at once."""


@compiled
def common_neighbours(indptr: Any, indices: Any, col_indptr: Any, col_indices: Any, overlaps: Any) -> int:
    """Number of 4-cycles; ``overlaps[i]`` becomes the mean overlap of row i with the rows that share a column with it.

    The overlap of two rows is the size of their intersection over that of their union. Takes Σ d² over the columns.
    """
    n = indptr.size - 1
    counts = np.zeros(n, np.int64)
    met = np.empty(n, np.int64)
    butterflies = 0
    for i in range(n):
        size = 0
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = np.int64(indices[e])
            for f in range(np.int64(col_indptr[j]), np.int64(col_indptr[j + 1])):
                k = np.int64(col_indices[f])
                if counts[k] == 0:
                    met[size] = k
                    size += 1
                counts[k] += 1
        total = 0.0
        own = np.int64(indptr[i + 1]) - np.int64(indptr[i])
        for place in range(size):
            k = met[place]
            shared = counts[k]
            counts[k] = 0
            if k == i:
                continue
            total += shared / (own + np.int64(indptr[k + 1]) - np.int64(indptr[k]) - shared)
            if k > i:
                butterflies += shared * (shared - 1) // 2
        overlaps[i] = total / (size - 1) if size > 1 else 0.0
    return butterflies


@compiled
def distance_counts(indptr: Any, indices: Any, sources: Any, counts: Any, sums: Any) -> None:
    """Breadth-first search from many nodes at once, 64 · WORDS of them in the bits of a few words.

    ``counts[d]`` grows by the ordered pairs (source, node) at distance d, ``sums[s]`` becomes the sum of the distances
    from ``sources[s]`` to the nodes that it reaches.

    Parameters
    ----------
    indptr, indices
        The whole symmetric adjacency.
    sources
        Where to search from.
    counts
        As long as there are nodes.
    """
    n = indptr.size - 1
    seen = np.zeros((n, WORDS), np.uint64)
    now = np.zeros((n, WORDS), np.uint64)
    ahead = np.zeros((n, WORDS), np.uint64)
    front = np.empty(n, np.int64)
    touched = np.empty(n, np.int64)
    is_touched = np.zeros(n, np.bool_)
    one = np.uint64(1)
    for start in range(0, sources.size, 64 * WORDS):
        batch = min(64 * WORDS, sources.size - start)
        seen[:] = 0
        size = 0
        for s in range(batch):
            v = sources[start + s]
            if not is_touched[v]:
                is_touched[v] = True
                front[size] = v
                size += 1
            seen[v, s // 64] |= one << np.uint64(s % 64)
            now[v, s // 64] |= one << np.uint64(s % 64)
        for place in range(size):
            is_touched[front[place]] = False
        depth = 0
        while size:
            depth += 1
            reached = 0
            for place in range(size):
                v = front[place]
                for e in range(np.int64(indptr[v]), np.int64(indptr[v + 1])):
                    u = np.int64(indices[e])
                    if not is_touched[u]:
                        is_touched[u] = True
                        touched[reached] = u
                        reached += 1
                    for w in range(WORDS):
                        ahead[u, w] |= now[v, w]
                for w in range(WORDS):
                    now[v, w] = 0
            size = 0
            for place in range(reached):
                u = touched[place]
                is_touched[u] = False
                fresh = False
                for w in range(WORDS):
                    bits = ahead[u, w] & ~seen[u, w]
                    ahead[u, w] = 0
                    now[u, w] = bits
                    seen[u, w] |= bits
                    while bits:
                        lowest = bits & (~bits + one)
                        sums[start + w * 64 + _position(lowest)] += depth
                        counts[depth] += 1
                        bits ^= lowest
                        fresh = True
                if fresh:
                    front[size] = u
                    size += 1


@compiled
def _position(bit: Any) -> int:
    """Number of zeros below a single bit."""
    place = 0
    for step in (32, 16, 8, 4, 2, 1):
        if bit >> np.uint64(step):
            bit >>= np.uint64(step)
            place += step
    return place


@compiled
def unite_rows(indptr: Any, indices: Any, sets: Any, united: Any) -> None:
    """``united[i]`` becomes the union of ``sets[j]`` over the outputs j of i; sets are rows of bits."""
    for i in range(indptr.size - 1):
        for w in range(sets.shape[1]):
            united[i, w] = 0
        for e in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            j = np.int64(indices[e])
            for w in range(sets.shape[1]):
                united[i, w] |= sets[j, w]


@compiled
def core_numbers(indptr: Any, indices: Any) -> Any:
    """The core number of each node of a symmetric adjacency: nodes of least degree are peeled off, by buckets."""
    n = indptr.size - 1
    degrees = np.empty(n, np.int64)
    largest = 0
    for v in range(n):
        degrees[v] = np.int64(indptr[v + 1]) - np.int64(indptr[v])
        largest = max(largest, degrees[v])
    starts = np.zeros(largest + 2, np.int64)
    for v in range(n):
        starts[degrees[v] + 1] += 1
    for d in range(largest + 1):
        starts[d + 1] += starts[d]
    order, places = np.empty(n, np.int64), np.empty(n, np.int64)
    heads = starts.copy()
    for v in range(n):
        places[v] = heads[degrees[v]]
        order[places[v]] = v
        heads[degrees[v]] += 1
    for place in range(n):
        v = order[place]
        for e in range(np.int64(indptr[v]), np.int64(indptr[v + 1])):
            u = np.int64(indices[e])
            if degrees[u] > degrees[v]:
                # u moves to the front of its bucket, and that bucket begins one later
                front = starts[degrees[u]]
                w = order[front]
                order[front], order[places[u]] = u, w
                places[w], places[u] = places[u], front
                starts[degrees[u]] += 1
                degrees[u] -= 1
    return degrees


@compiled
def percolate(indptr: Any, indices: Any, order: Any) -> Any:
    """Nodes of the largest component after the first 0, 1, … nodes of the order are gone: they return from the last."""
    n = order.size
    parent = np.arange(n)
    size = np.ones(n, np.int64)
    present = np.zeros(n, np.bool_)
    sizes = np.zeros(n + 1, np.int64)
    largest = np.int64(0)
    for step in range(n - 1, -1, -1):
        node = order[step]
        present[node] = True
        root = node
        largest = max(largest, np.int64(1))
        for e in range(np.int64(indptr[node]), np.int64(indptr[node + 1])):
            other = np.int64(indices[e])
            if not present[other]:
                continue
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            while parent[root] != root:
                root = parent[root]
            if other != root:
                if size[other] > size[root]:
                    root, other = other, root
                parent[other] = root
                size[root] += size[other]
                largest = max(largest, size[root])
        sizes[step] = largest
    return sizes


@compiled
def bicore_product(indptr: Any, indices: Any, col_indptr: Any, col_indices: Any) -> Any:
    """The largest α·β of which there is an (α, β)-core: every input has α edges in it, and every output β."""
    n, m = indptr.size - 1, col_indptr.size - 1
    most = np.int64(0)
    for i in range(n):
        most = max(most, np.int64(indptr[i + 1]) - np.int64(indptr[i]))
    best = np.int64(0)
    left, right = np.empty(n, np.int64), np.empty(m, np.int64)
    here, there = np.empty(n, np.bool_), np.empty(m, np.bool_)
    stack = np.empty(n + m, np.int64)
    for alpha in range(1, most + 1):
        remaining = np.int64(0)
        for i in range(n):
            left[i] = np.int64(indptr[i + 1]) - np.int64(indptr[i])
            here[i] = True
        for j in range(m):
            right[j] = np.int64(col_indptr[j + 1]) - np.int64(col_indptr[j])
            there[j] = True
            remaining += 1
        beta = np.int64(0)
        top = 0
        for i in range(n):
            if left[i] < alpha:
                here[i] = False
                stack[top] = i
                top += 1
        while True:
            while top > 0:
                top -= 1
                node = stack[top]
                if node < n:
                    for e in range(np.int64(indptr[node]), np.int64(indptr[node + 1])):
                        column = np.int64(indices[e])
                        if there[column]:
                            right[column] -= 1
                            if right[column] < beta:
                                there[column] = False
                                remaining -= 1
                                stack[top] = n + column
                                top += 1
                else:
                    for e in range(np.int64(col_indptr[node - n]), np.int64(col_indptr[node - n + 1])):
                        row = np.int64(col_indices[e])
                        if here[row]:
                            left[row] -= 1
                            if left[row] < alpha:
                                here[row] = False
                                stack[top] = row
                                top += 1
            if remaining == 0:
                break
            if beta > 0:
                best = max(best, alpha * beta)
            beta += 1
            for j in range(m):
                if there[j] and right[j] < beta:
                    there[j] = False
                    remaining -= 1
                    stack[top] = n + j
                    top += 1
    return best
