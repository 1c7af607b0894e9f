"""Many graphs at once give what each gives alone."""

import numpy as np
import pytest

import topograph as tg
from tests.topograph.spectral.families import graphs, reference
from topograph.spectral import QUANTITIES, compute_spectra


def test_layers_of_a_classifier():
    layers = [
        tg.construct(name, 120, 10, degree=k, seed=seed)
        for name in ("random_regular", "regular_rotating", "random_rotating", "random_edge")
        for k in range(1, 11)
        for seed in range(1)
    ]
    _compare(layers)


def test_small_shapes_of_every_kind():
    rng = np.random.default_rng(0)
    layers = []
    for n, m in ((2, 2), (3, 2), (5, 4), (9, 3), (12, 12)):
        for k in range(1, m + 1):
            for _ in range(6):
                mask = rng.random((n, m)).argsort(axis=1) < k
                layers.append(tg.BipartiteGraph.from_mask(mask))
    _compare(layers)


def test_any_graphs_in_any_order():
    _compare([graph for _, graph in graphs(57, seed=4)])


def _compare(layers):
    spectra = compute_spectra(layers)
    assert len(spectra) == len(layers)
    for graph, spectrum in zip(layers, spectra, strict=True):
        true = reference(graph.to_mask(float))
        for name in QUANTITIES:
            estimate = spectrum[name]
            assert estimate.value == pytest.approx(true[name], rel=1e-9, abs=1e-10, nan_ok=True), (graph, name)
            if not np.isnan(true[name]):
                assert estimate.low - 1e-10 <= true[name] <= estimate.high + 1e-10
