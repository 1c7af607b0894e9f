"""A sample of the fuzzer's files; CONTRIBUTING has the command for many more."""

import pytest

from tests.topograph.masks.fuzz import run


@pytest.mark.parametrize("seed", [0])
def test_mutated_files_end_well(seed, capsys):
    code = run(600, seed=seed, workers=1)
    assert code == 0, capsys.readouterr().out
