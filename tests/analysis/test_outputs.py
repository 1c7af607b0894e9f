"""Every command's output against every command's inputs."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.cli import main
from trainers.study import Store, run_study


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    spec = {
        "grid": {
            "architectures": [64, 10],
            "constructions": ["random_regular", "random_edge"],
            "degrees": [2, 4],
            "topology_seeds": [0, 1],
            "training_seeds": [0, 1],
        },
        "training": {"epochs": 1},
        "metrics": ["density", "normalized_gap"],
    }
    path = tmp_path_factory.mktemp("outputs") / "s.sqlite"
    run_study(spec, path, workers=1)
    return path


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
@pytest.mark.parametrize("command", ["report", "export"])
def test_a_store_survives_every_command_that_reads_it(store, tmp_path, capsys, command, link):
    out = store if link is None else tmp_path / ("x.html" if command == "report" else "x.csv")
    if link:
        getattr(out, link)(store)
    words = ["report"] if command == "report" else ["study", "export"]
    assert main([*words, str(store), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "would be overwritten" in said or "must end in" in said
    assert Store(store).counts()["done"] == 16
    if link:
        out.unlink()


def test_another_store_survives_too(store, tmp_path, capsys):
    other = tmp_path / "other.html"
    other.write_bytes(store.read_bytes())
    assert main(["report", str(store), "--out", str(other)]) == 1
    assert "is a database" in capsys.readouterr().err
    assert Store(other).counts()["done"] == 16


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "table"])
def test_a_mask_survives_its_measurement(tmp_path, capsys, kind):
    mask = tmp_path / "m.npy"
    np.save(mask, np.eye(3))
    before = mask.read_bytes()
    (tmp_path / "link").symlink_to(mask)
    for out in (mask, tmp_path / "link"):
        assert main(["measure", str(mask), "--format", kind, "--out", str(out)]) == 1
        assert "would be overwritten" in capsys.readouterr().err
    assert mask.read_bytes() == before


def test_outputs_that_cannot_be_written_are_refused_in_words(tmp_path, capsys):
    np.save(tmp_path / "m.npy", np.eye(3))
    for out in (tmp_path / "none" / "x.csv", tmp_path, tmp_path / ("x" * 300)):
        assert main(["measure", str(tmp_path / "m.npy"), "--format", "csv", "--out", str(out)]) == 1
        assert "cannot write" in capsys.readouterr().err
