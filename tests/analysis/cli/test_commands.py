from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import topograph as tg
from analysis.cli import main
from topograph.metrics.registry import select_metrics
from trainers.study import run_study

SPEC = """
name = "tiny"
[grid]
architectures = [64, 12, 10]
constructions = ["random_edge", "regular_rotating", "fibonacci_rotating"]
degrees = [[2, 4], [4, 4], [8, 8]]
training_seeds = [0, 1]
[training]
epochs = 1
learning_rate = 0.1
"""


def test_lists(capsys):
    for what, expected in (
        ("constructions", "fibonacci_rotating"),
        ("metrics", "algebraic_connectivity"),
        ("trainers", "numpy"),
        ("models", "lenet5  (torch)"),
        ("datasets", "fashion-mnist"),
    ):
        assert main(["list", what]) == 0
        assert expected in capsys.readouterr().out


def test_masks_for_a_model_are_built_and_trained(tmp_path, capsys, monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    built = ["build", "erdos_renyi", "--model", "lstm", "--model-set", "hidden=8", "--density", "0.5", "--out", "m.npz"]
    assert main([*built, "--allocation", "erk"]) == 0
    assert "masks for lstm(hidden=8) written to m.npz\n  cells.weight_ih_l0:input: " in capsys.readouterr().out
    trained = ["train", "m.npz", "--model", "lstm", "--model-set", "hidden=8", "--set", "epochs=1", "--format", "json"]
    assert main(trained) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["trainer"] == "pytorch"
    assert len(record["weight_stats"]) == 9
    for arguments, words in (
        (["train", "m.npz", "--model", "lstn"], "did you mean 'lstm'?"),
        (["train", "m.npz", "--model", "lstm"], "the model lstm does not take these masks"),
        (["train", "m.npz", "--model", "lstm", "--trainer", "numpy"], "the trainer 'numpy' trains chains only"),
        ([*built, "--degrees", "3"], "--degrees is for --sizes"),
    ):
        assert main(arguments) == 1
        assert words in capsys.readouterr().err


def test_build_measure_and_train(tmp_path, capsys):
    path = tmp_path / "t.npz"
    assert main(["build", "fibonacci_rotating", "--sizes", "64,30,10", "--degrees", "8,10", "--out", str(path)]) == 0
    assert "64-30-10" in capsys.readouterr().out
    assert tg.Topology.load(path) == tg.Topology.build("fibonacci_rotating", [64, 30, 10], [8, 10])
    assert main(["measure", str(path)]) == 0
    out = capsys.readouterr().out
    assert "connectivity" in out
    assert "network" in out
    assert main(["train", str(path), "--set", "epochs=1", "--set", "loss=mse"]) == 0
    assert "test accuracy" in capsys.readouterr().out
    assert main(["train", str(path), "--set", "epochs=1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 360


def test_measure_formats(tmp_path, capsys):
    file = tmp_path / "mask.npy"
    np.save(file, np.eye(3))
    assert main(["measure", str(file), "--format", "csv", "--metrics", "n_edges,normalized_gap"]) == 0
    table = pd.read_csv(pd.io.common.StringIO(capsys.readouterr().out))
    assert table["n_edges"].tolist() == [3]
    assert main(["measure", str(file), str(file), "--format", "json", "--long"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2 * len(select_metrics("short"))
    out = tmp_path / "table.parquet"
    assert main(["measure", str(file), "--format", "parquet", "--out", str(out)]) == 0
    assert pd.read_parquet(out)["n_edges"].tolist() == [3]
    assert main(["measure", str(file), "--format", "parquet"]) == 1
    assert "--out" in capsys.readouterr().err
    assert main(["measure", str(file), "--out", str(tmp_path / "table.txt")]) == 0
    assert "undefined" in (tmp_path / "table.txt").read_text()  # a matching has a Ramanujan bound of 0


def test_the_terminal_has_a_row_per_layer_that_fits_and_counts_what_is_left_out(tmp_path, capsys, monkeypatch):
    file = tmp_path / "model.npz"
    layers = {f"blocks.{i}.a_layer_with_a_very_long_name.weight": np.eye(6) for i in range(4)}
    np.savez(file, **layers, **{f"norm.{i}": np.ones(3) for i in range(5)})
    for width in (70, 100, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["measure", str(file), "--metrics", "fast"]) == 0
        out = capsys.readouterr().out
        tables = out.partition("\nundefined:")[0].splitlines()
        assert max(map(len, tables)) <= width
        assert sum(line.startswith("blocks.0") for line in tables) >= 2 if width < 160 else 1
        assert "\x1b" not in out
    assert "5 arrays are not masks (norm.0, norm.1, norm.2 and 2 more); --left-out lists them" in out
    assert main(["measure", str(file), "--left-out"]) == 0
    assert "left out: norm.4: has 1 dimension" in capsys.readouterr().out


def test_a_study_from_spec_to_report(tmp_path, capsys):
    spec, store, page = tmp_path / "tiny.toml", tmp_path / "tiny.sqlite", tmp_path / "tiny.html"
    spec.write_text(SPEC)
    run = ["study", "run", str(spec), "--store", str(store), "--workers", "1", "--quiet"]
    assert main(run) == 0
    assert "18 trained now" in capsys.readouterr().out
    assert main(run) == 0
    assert "0 trained now" in capsys.readouterr().out
    assert main(["study", "status", str(store)]) == 0
    assert "18 done, 0 pending, 0 failed" in capsys.readouterr().out
    assert main(["report", str(store), "--out", str(page)]) == 0
    out = capsys.readouterr().out
    assert "go with test accuracy" in out
    assert len(out.splitlines()) <= 20
    assert out.strip().endswith(f"Report: {page}")
    assert page.stat().st_size > 10_000


def test_a_report_on_variants_needs_no_certain_metric(tmp_path, capsys):
    content = {
        "grid": {"architectures": [64, 12, 10], "constructions": "regular_rotating", "degrees": [3, 6],
                 "topology_seeds": [0, 1, 2], "variants": ["plain", "null"]},
        "training": {"epochs": 1},
        "metrics": ["density", "normalized_gap"],
    }  # fmt: skip
    store = tmp_path / "s.sqlite"
    run_study(content, store, workers=1, progress=False)
    assert main(["report", str(store)]) == 0
    assert "By rewiring at fixed degrees" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["measure", "nothing.npy"], "no such file"),
        (["build", "desne", "--sizes", "4,4", "--out", "x.npz"], "did you mean 'dense'"),
        (["build", "random_edge", "--sizes", "4,4", "--degrees", "9", "--out", "x.npz"], "degree=9"),
        (["build", "dense", "--sizes", "4,4", "--out", "no/such/folder/x.npz"], "cannot write"),
        (["measure", "mask.npy", "--out", "no/such/folder/x.txt"], "cannot write"),
        (["measure", "mask.npy", "--format", "parquet", "--out", "no/such/folder/x.parquet"], "cannot write"),
        (["report", "nothing.sqlite"], "no such store"),
        (["study", "run", "nothing.toml"], "cannot be read"),
        (["study", "status", "nothing.sqlite"], "no such store"),
        (["train", "nothing.npz"], "nothing.npz"),
    ],
)
def test_errors_are_one_line_and_exit_1(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    np.save("mask.npy", np.eye(3))
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("topograph: ")
    assert words in error
    assert error.count("\n") == 1


def test_wrong_usage_exits_2_and_ctrl_c_130(monkeypatch, capsys):
    for arguments in (["measure"], ["list", "nonsense"], ["build", "dense", "--sizes", "a", "--out", "x"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(tg, "measure", stop)
    assert main(["measure", "x.npy"]) == 130
    assert "What was finished is kept" in capsys.readouterr().err


def test_wrong_usage_says_where_to_look(capsys):
    for arguments, words in (
        (["mesure", "x"], "did you mean 'measure'?\nSee: topograph --help\n"),
        (["train", "x", "--dataste", "d"], "--dataste d; did you mean --dataset?\nSee: topograph train --help\n"),
        (["study", "run", "x.toml", "--wrkers=2"], "did you mean --workers?\nSee: topograph study run --help\n"),
        (["build", "dense", "--sizes", "4,4", "--out", "x", "--colour"], "--colour\nSee: topograph build --help\n"),
        (["list", "metric"], "did you mean 'metrics'?\nSee: topograph list --help\n"),
        (["build", "dense", "--sizes", "4,a", "--out", "x"], "whole numbers with commas between, such as 784,10"),
        (["study", "run"], "required: spec\nSee: topograph study run --help\n"),
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 2


def test_every_command_speaks_json(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SPEC)

    def answer(*arguments):
        assert main([*arguments, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert {"construction": "dense", "summary": "all outputs"}.items() <= answer("list", "constructions")[4].items()
    assert "formula" in answer("list", "metrics")[0]
    assert {"trainer": "numpy", "reason": ""} in answer("list", "trainers")
    assert {"dataset": "digits"} in answer("list", "datasets")
    built = answer("build", "dense", "--sizes", "64,4,10", "--out", "t.npz")
    assert (built["sizes"], built["layers"][0]["n_edges"]) == ([64, 4, 10], 256)
    assert answer("train", "t.npz", "--set", "epochs=1")["total"] == 360
    assert answer("study", "run", "tiny.toml", "--dry-run")["pending"] == 18
    assert answer("study", "run", "tiny.toml", "--workers", "1")["trained"] == 18
    assert answer("study", "status", "tiny.sqlite")["counts"] == {"done": 18, "pending": 0, "failed": 0}
    assert answer("study", "retry", "tiny.sqlite", "--workers", "1")["trained"] == 0
    assert answer("study", "measure", "tiny.sqlite", "--metrics", "motifs", "--workers", "1")["topologies"] >= 9
    assert answer("study", "export", "tiny.sqlite", "--out", "tiny.csv")["rows"] == 18
    assert "l1_normalized_gap" in answer("report", "tiny.sqlite")["effects"]


def test_every_help_shows_an_example(capsys):
    for command in ("list", "build", "measure", "train", "report", "completion", "study run", "study status",
                    "study retry", "study measure", "study export"):  # fmt: skip
        with pytest.raises(SystemExit) as caught:
            main([*command.split(), "--help"])
        assert caught.value.code == 0
        assert f"topograph {command}" in capsys.readouterr().out.partition("example:")[2]
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "exit status:" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_a_script_that_the_shell_reads(tmp_path, capsys, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert main(["completion", shell]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    assert "--orientation" in script.read_text()
    subprocess.run([shell, "-n", str(script)], check=True)


def test_the_installed_command_works_from_anywhere(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((3, 4)))
    printed = subprocess.run(
        [sys.executable, "-m", "analysis.cli", "measure", "mask.npy", "--metrics", "algebraic_connectivity"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "3" in printed


def test_names_from_files_cannot_act_on_the_terminal_or_forge_a_line(tmp_path, capsys):
    from safetensors.numpy import save_file

    save_file({"fc\x1b[2J\nforged: 1\u202e.weight": np.eye(6, dtype=np.float32)}, tmp_path / "m.safetensors")
    for options in ([], ["--format", "csv"], ["--long"], ["--long", "--format", "csv"], ["--format", "json"]):
        assert main(["measure", str(tmp_path / "m.safetensors"), "--metrics", "n_edges", *options]) == 0
        out = capsys.readouterr().out
        assert not [c for c in out if not c.isprintable() and c != "\n"]
        assert "\nforged" not in out
        assert "fc\\" in out


def test_a_report_does_not_replace_its_own_study(tmp_path, capsys):
    table = tmp_path / "t.csv"
    pd.DataFrame({"test_accuracy": [0.5, 0.6], "gap": [1, 2]}).to_csv(table, index=False)
    before = table.read_bytes()
    (tmp_path / "link.html").symlink_to(table)
    for out in (table, tmp_path / "link.html"):
        assert main(["report", str(table), "--out", str(out)]) == 1
        assert "is read and would be overwritten" in capsys.readouterr().err
    assert table.read_bytes() == before


def test_a_report_on_anybodys_table(tmp_path, capsys):
    rng = np.random.default_rng(0)
    size = np.repeat([1, 2, 3], 20)
    table = pd.DataFrame({"model": size, "gap": rng.normal(size=60)})
    table["bleu"] = 20 + size + table["gap"] + rng.normal(size=60)
    table.to_csv(tmp_path / "t.csv", index=False)
    options = ["--outcome", "bleu", "--cells", "model", "--metrics", "gap", "--control", "model"]
    assert main(["report", str(tmp_path / "t.csv"), *options]) == 0
    out = capsys.readouterr().out
    assert "with model held fixed, 1 of 1 do" in out
    assert "Per standard deviation within cells, gap goes with +" in out
