from __future__ import annotations

import platform
import subprocess
import sys

import pandas as pd
import pytest

from analysis.cli import main
from trainers.study import Store, run_study
from trainers.study.engine.progress import Progress
from trainers.study.forecast import forecast_study

SPEC = """
[grid]
architectures = [[64, 12, 10], [64, 20, 10]]
constructions = ["random_regular", "dense"]
degrees = [2, 4]
topology_seeds = [0, 1]

[training]
epochs = [1, 2]
"""
RUNS = 2 * (2 * 2 + 1) * 2


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path / "spec.toml"


@pytest.fixture
def small(spec, tmp_path):
    run_study(spec, tmp_path / "s.sqlite", workers=1)
    return tmp_path / "s.sqlite"


def test_a_dry_run_says_how_much_and_how_long(spec, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "run", str(spec), "--dry-run", "--workers", "2"]) == 0
    said = capsys.readouterr().out
    edges = 2 * sum(64 * a + hidden * b for hidden in (12, 20) for a, b in [*[(2, 2)] * 2, *[(4, 4)] * 2, (hidden, 10)])
    assert f"{RUNS} networks on 10 topologies, {edges:,} edges; {RUNS} still to be trained" in said
    assert "with 2 workers" in said
    assert not list(tmp_path.glob("*.sqlite*"))


def test_an_estimate_counts_what_is_left(spec, small):
    estimate = forecast_study(spec, small, workers=1)
    assert (estimate.runs, estimate.pending, estimate.seconds) == (RUNS, 0, 0)
    more = forecast_study(SPEC_TWICE, small, workers=1)
    assert (more.runs, more.pending) == (2 * RUNS, RUNS)
    assert more.seconds > 0


SPEC_TWICE = {
    "grid": {
        "architectures": [[64, 12, 10], [64, 20, 10]],
        "constructions": ["random_regular", "dense"],
        "degrees": [2, 4],
        "topology_seeds": [0, 1],
        "training_seeds": [0, 1],
    },
    "training": {"epochs": [1, 2]},
}


def test_status(small, capsys):
    assert main(["study", "status", str(small)]) == 0
    said = capsys.readouterr().out
    table = [line.split() for line in said.splitlines()]
    assert table[0] == ["construction", "architecture", "degrees", "done", "pending", "failed", "accuracy", "best"]
    assert table[1][:6] == ["random_regular", "64-12-10", "2-2", "4", "0", "0"]
    assert f"{RUNS} done, 0 pending, 0 failed" in said


def test_status_while_it_runs(small, capsys):
    store = Store(small)
    with store.writer() as writer:
        writer.set_meta({"writer": {"pid": 77, "machine": "here", "since": 0}})
        writer._connection.execute("UPDATE runs SET status = 'pending' WHERE run = 1")
        writer._connection.execute(
            "UPDATE runs SET status = 'failed', reason = 'too wild' || char(10) || 'line' WHERE run = 2"
        )
        writer._connection.commit()
        assert main(["study", "status", str(small)]) == 0
    said = capsys.readouterr().out
    assert f"{RUNS - 2} done, 1 pending, 1 failed" in said
    assert "process 77 on here" in said
    assert "networks/h" in said
    assert "failed 1×: too wild\n" in said
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    with store.writer() as writer:
        writer.set_meta({"writer": {"pid": gone.pid, "machine": platform.node(), "since": 0}})
    assert main(["study", "status", str(small)]) == 0
    assert f"process {gone.pid} on {platform.node()} was stopped in the middle" in capsys.readouterr().out


def test_retry_and_measure(small, capsys):
    assert main(["study", "retry", str(small), "--workers", "1", "--quiet"]) == 0
    assert f"{RUNS} networks planned: {RUNS} known already, 0 trained now" in capsys.readouterr().out
    assert main(["study", "measure", str(small), "--metrics", "paths", "--workers", "1"]) == 0
    assert "10 topologies measured" in capsys.readouterr().out
    assert main(["study", "measure", str(small), "--metrics", "pathss"]) == 1
    assert "did you mean 'paths'" in capsys.readouterr().err


@pytest.mark.parametrize("table", ["frame", "runs", "metrics", "curves"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_export(small, tmp_path, table, kind, capsys):
    out = tmp_path / f"out.{kind}"
    assert main(["study", "export", str(small), "--out", str(out), "--table", table]) == 0
    found = pd.read_csv(out) if kind == "csv" else pd.read_parquet(out)
    assert f"{len(found)} rows" in capsys.readouterr().out
    if table in ("frame", "runs"):
        assert len(found) == RUNS
        # an old pandas reads the last digit of a CSV inexactly
        expected = Store(small).runs()["test_accuracy"].tolist()
        assert found["test_accuracy"].tolist() == pytest.approx(expected, rel=1e-14)
    assert (
        set(found.columns)
        >= {
            "frame": {"run_id", "l1_density", "epochs"},
            "runs": {"run_id", "status", "settings", "reason", "machine"},
            "metrics": {"topology_id", "layer", "metric", "value", "residual", "reason"},
            "curves": {"run_id", "epoch", "test_accuracy"},
        }[table]
    )


def test_exports_that_cannot_be(small, tmp_path, capsys):
    assert main(["study", "export", str(small), "--out", str(tmp_path / "x.xlsx")]) == 1
    assert ".parquet or .csv" in capsys.readouterr().err
    assert main(["study", "export", str(small), "--out", str(tmp_path / "none" / "x.csv")]) == 1
    assert "cannot write" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["study", "run", "spec.toml", "--memory", "much"])


def test_nothing_is_shown_without_a_terminal(spec, tmp_path, capsys):
    run_study(spec, tmp_path / "s.sqlite", workers=1)
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_progress_in_words():
    progress = Progress("p", 10, cost=100.0, show=False)
    assert progress.words() == "0 networks/h, ? left"
    for failed, accuracy in ((False, 0.5), (True, float("nan")), (False, 0.75), (False, 0.25)):
        progress.update(20.0, failed, accuracy)
    words = progress.words()
    assert words.endswith("1 failed, best 0.7500")
    assert "networks/h, 0 s left" in words
