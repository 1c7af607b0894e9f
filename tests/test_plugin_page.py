"""The page on writing a trainer is run as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "plugin.md"


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_the_page(capsys):
    namespace: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for block in blocks:
        exec(compile(block, "plugin.md", "exec"), namespace)
    assert len(blocks) >= 5
    printed = capsys.readouterr().out
    assert "the trainer 'mine' keeps the contract" in printed
    assert "FAILED       unseen_inputs" in printed
