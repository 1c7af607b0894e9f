"""One spectrum a graph, many graphs together and on all cores, plug-ins beside the built-ins."""

import math
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest

import topograph as tg
from topograph import plugins, spectral
from topograph.errors import InvalidParameterError, PluginError, UnknownNameError
from topograph.metrics import chunks, registry
from topograph.spectral import compute_spectrum
from topograph.spectral.batch import spectra_of_stack

STUDIED = ["sizes", "degrees", "structure", "spectral", "ramanujan"]  # what a study computes unless told otherwise


def small_masks(count, shape=(30, 10), degree=3):
    return {str(seed): tg.construct("random_regular", *shape, degree=degree, seed=seed) for seed in range(count)}


def test_the_spectrum_is_computed_once(monkeypatch):
    calls = []

    def counting(graph, **options):
        calls.append(options.get("quantities"))
        return compute_spectrum(graph, **options)

    monkeypatch.setattr(spectral, "compute_spectrum", counting)
    tg.measure(tg.construct("random_edge", 40, 30, density=0.2))
    assert calls == [None]


def test_tiny_graphs_are_solved_together(monkeypatch):
    together = []

    def watching(stack):
        together.append(len(stack))
        return spectra_of_stack(stack)

    monkeypatch.setattr(chunks, "spectra_of_stack", watching)
    masks = small_masks(40)
    table = tg.measure(masks)
    assert together == [40]
    for name in ("0", "17", "39"):
        alone = tg.measure(tg.BipartiteGraph.from_mask(masks[name].to_mask())).iloc[0]
        for column in alone.index.drop("reason"):
            assert table.loc[name, column] == pytest.approx(alone[column], rel=1e-8, abs=1e-10, nan_ok=True), column


def test_no_spectrum_is_computed_for_what_needs_none(monkeypatch):
    monkeypatch.setattr(chunks, "spectra_of_stack", None)
    monkeypatch.setattr(spectral, "compute_spectrum", None)
    assert len(tg.measure(small_masks(3), ["sizes", "degrees", "structure", "ramanujan_bound"])) == 3


def test_processes_give_the_same_table_in_the_same_order():
    masks = small_masks(1200, (12, 8))
    masks["odd"] = np.ones(3)
    metrics = ["sizes", "degrees", "algebraic_connectivity", "ramanujan_gap"]
    alone = tg.measure(masks, metrics, workers=1)
    shared = tg.measure(masks, metrics, workers=2)
    pd.testing.assert_frame_equal(alone, shared)
    assert "odd" not in shared.index
    assert set(shared.attrs["left_out"]) == {"odd"}


def test_workers_are_checked():
    with pytest.raises(InvalidParameterError, match="workers"):
        tg.measure(np.eye(3), workers=0)


def test_a_bar_is_shown(capsys):
    tg.measure(small_masks(3), ["density"], progress=False)
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------------- plug-ins


@pytest.fixture
def plugged(monkeypatch):
    """Entry points of somebody else's package."""

    def plug(**entries):
        found = dict(plugins.registered(registry.GROUP))
        for name, value in entries.items():
            found[name] = EntryPoint(name, value, registry.GROUP)
        monkeypatch.setattr(plugins, "registered", lambda group: found)
        plugins.named_plugins.cache_clear()

    yield plug
    monkeypatch.undo()
    plugins.named_plugins.cache_clear()


def test_a_plugged_in_metric_stands_beside_the_built_ins(plugged):
    plugged(mine="tests.plugged_in:METRICS")
    assert tg.available_metrics()[-2:] == ("even_edges", "deep_paths")
    topology = tg.Topology([np.ones((2, 3)), np.ones((3, 1))])
    table = tg.measure(topology, "fast")
    assert table["even_edges"].tolist() == [1, 0, 0]  # 6, 3 and 9 connections
    assert "deep_paths" not in table
    assert tg.measure(topology, "mine").loc["network"].tolist()[:2] == [0, 2]
    assert math.isnan(tg.measure(topology, "mine").loc["l1", "deep_paths"])
    row = tg.metrics.describe_metrics().loc["even_edges"]
    assert row["group"] == "mine"
    assert row["fast"]


def test_a_broken_plug_in_is_named(plugged):
    plugged(broken="tests.plugged_in:NOT_A_METRIC")
    with pytest.raises(PluginError, match=r"'broken' .* is not a Metric"):
        tg.available_metrics()
    plugged(broken="tests.plugged_in:SECOND_DENSITY")
    with pytest.raises(PluginError, match="'density', which exists already"):
        tg.available_metrics()


def test_groups():
    table = tg.metrics.describe_metrics()
    fast = {metric.name for metric in registry.select_metrics("fast")}
    assert set(table.index[table["group"].isin([*STUDIED, "blocks"])]) == fast
    assert set(table["cost"][table["group"] == "spectral"]) == {"spectrum"}
    assert len(registry.select_metrics("all")) == len(table)
    with pytest.raises(UnknownNameError, match="did you mean 'robustness'"):
        tg.measure([[1]], "robustnes")
    with pytest.raises(InvalidParameterError, match="direction must be one of higher, lower, none"):
        tg.metrics.Metric("x", lambda g: None, summary="", formula="", low=0, high=1, group="mine", direction="up")


def test_the_tidy_table_says_its_conventions():
    table = tg.measure(np.eye(3), ["normalized_gap", "density"], long=True)
    assert set(table.attrs["conventions"]) == {"normalized_gap", "density"}
    assert "isolated nodes dropped" in table.attrs["conventions"]["normalized_gap"]
