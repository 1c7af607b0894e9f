from __future__ import annotations

import numpy as np
import pytest

import topograph as tg


def random_graphs():
    """Small graphs of many densities, some disconnected, some with isolated nodes."""
    random = np.random.default_rng(7)
    graphs = []
    for density in (0.08, 0.2, 0.4, 0.8):
        for _ in range(4):
            n, m = random.integers(2, 14, size=2)
            graphs.append(tg.BipartiteGraph.from_mask(random.random((n, m)) < density))
    return [graph for graph in graphs if graph.n_edges]


@pytest.fixture(params=random_graphs(), ids=lambda graph: f"{graph.n_left}x{graph.n_right}-{graph.n_edges}")
def graph(request):
    return request.param


@pytest.fixture
def compute():
    def run(name, source):
        return tg.metrics.get_metric(name).compute(source)

    return run
