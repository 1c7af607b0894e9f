"""Networks of somebody's own loop are recorded whole, once, and read by every analysis."""

import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import analysis
import topograph as tg
from analysis.cli import main
from topograph.errors import InvalidParameterError, StoreError
from trainers.study.store import Store

METRICS = ["density", "normalized_gap"]


def recorded(path, n=24):
    random = np.random.default_rng(0)
    for number in range(n):
        construction = ("random_regular", "regular_rotating")[number % 2]
        topology = tg.Topology.build(construction, [30, 20, 5], [(2, 4, 8)[number // 2 % 3], 2], seed=number // 6)
        analysis.record(
            path,
            topology,
            metrics=METRICS,
            test_accuracy=0.8 + 0.05 * topology.density + random.normal(scale=0.01),
            construction=construction,
            degrees=f"{topology[0].left_degrees[0]}-2",
            dataset="mine",
            seed=number,
            lr=0.1,
        )
    return path


def test_a_frame_has_keys_settings_metrics_and_results(tmp_path):
    path = recorded(tmp_path / "mine.sqlite")
    frame = analysis.load_frame(path)
    assert len(frame) == 24
    assert set(frame.dataset) == {"mine"}
    assert set(frame.architecture) == {"30-20-5"}
    topology = tg.Topology.build("random_regular", [30, 20, 5], [2, 2], seed=0)
    row = frame.iloc[0]
    expected = tg.measure(topology, METRICS)
    assert row.topology_id == topology.content_hash
    assert row.l1_normalized_gap == pytest.approx(expected.at["l1", "normalized_gap"])
    assert row.mean_density == pytest.approx(expected.loc[["l1", "l2"], "density"].mean())
    assert row.network_density == pytest.approx(topology.density)
    assert row.l1_log_density == pytest.approx(np.log(topology[0].density))
    links = analysis.correlate(frame, "test_accuracy", ["l1_normalized_gap"], control=["l1_log_density"])
    assert len(links)
    assert main(["report", str(path), "--out", str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_models_that_are_no_chain_have_means_over_their_layers(tmp_path):
    masks = tg.MaskSet({"a": tg.construct("random_regular", 8, 6, degree=3), "b": tg.construct("dense", 4, 4)})
    analysis.record(tmp_path / "m.db", masks, metrics=METRICS, outcomes={"bleu": 31.5}, layers=2)
    frame = analysis.load_frame(tmp_path / "m.db", outcome="bleu")
    assert frame.bleu.tolist() == [31.5]
    assert frame[["mean_density", "min_density", "max_density"]].values.tolist() == [[0.75, 0.5, 1.0]]
    assert frame.network_density.item() == pytest.approx(40 / 64)
    assert "l1_density" not in frame


def test_a_run_is_recorded_once(tmp_path):
    path, masks = tmp_path / "m.sqlite", tg.Topology.build("random_regular", [8, 6], degrees=2)
    first = analysis.record(path, masks, metrics=METRICS, test_accuracy=0.9, seed=0)
    assert analysis.record(path, masks, metrics=METRICS, test_accuracy=0.9, seed=0) == first
    assert analysis.record(path, masks, metrics=METRICS, test_accuracy=0.8, seed=1) != first
    assert len(analysis.load_frame(path)) == 2
    with pytest.raises(InvalidParameterError, match=r"already, with .*0\.9.*tell the runs apart, as by seed="):
        analysis.record(path, masks, metrics=METRICS, test_accuracy=0.7, seed=0)
    analysis.record(path, masks, metrics=METRICS, test_accuracy=0.7, seed=0, replace=True)
    assert sorted(analysis.load_frame(path).test_accuracy) == [0.7, 0.8]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT COUNT(*) FROM measured").fetchone() == (1,)
    database.close()


def test_a_kill_leaves_whole_runs(tmp_path):
    path = tmp_path / "m.sqlite"
    code = """
import sys
import analysis
import topograph as tg
masks = tg.Topology.build("random_regular", [8, 6], degrees=2)
for seed in range(100_000):
    analysis.record(sys.argv[1], masks, metrics=["density"], test_accuracy=0.9, seed=seed)
    print(seed, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) >= 20:
            break
    os.kill(process.pid, signal.SIGKILL)
    done = [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    seeds = analysis.load_frame(path).seed.tolist()
    assert seeds == list(range(len(seeds)))
    assert len(seeds) > max([20, *done])
    analysis.record(path, tg.Topology.build("dense", [8, 6]), metrics=["density"], test_accuracy=0.9)


def test_bad_input_is_refused(tmp_path):
    masks = tg.Topology.build("random_regular", [8, 6], degrees=2)
    with pytest.raises(InvalidParameterError, match="needs a result: one of test_accuracy"):
        analysis.record(tmp_path / "m.sqlite", masks, seed=0)
    with pytest.raises(InvalidParameterError, match=r"a share in \[0, 1\], but got test_accuracy=97"):
        analysis.record(tmp_path / "m.sqlite", masks, test_accuracy=97)
    with pytest.raises(InvalidParameterError, match="the setting sizes must be text"):
        analysis.record(tmp_path / "m.sqlite", masks, test_accuracy=0.9, sizes=[1, 2])
    with pytest.raises(InvalidParameterError, match="the result test_accuracy must be a finite number"):
        analysis.record(tmp_path / "m.sqlite", masks, test_accuracy=float("nan"))
    with pytest.raises(InvalidParameterError, match=r"ending in \.sqlite or \.db"):
        analysis.record(tmp_path / "m.csv", masks, test_accuracy=0.9)
    assert not list(tmp_path.iterdir())
    with Store(tmp_path / "study.sqlite").writer():
        pass
    with pytest.raises(StoreError, match="of another kind, such as the store of a study"):
        analysis.record(tmp_path / "study.sqlite", masks, test_accuracy=0.9)
    (tmp_path / "text.sqlite").write_text("hello, this is not a database")
    with pytest.raises(StoreError, match="cannot record a run"):
        analysis.record(tmp_path / "text.sqlite", masks, test_accuracy=0.9)
