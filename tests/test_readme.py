"""The README's snippets are run as they are written, in order, in one folder."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from analysis.cli import main

ROOT = Path(__file__).parents[1]


def test_snippets(tmp_path, monkeypatch, capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "studies", tmp_path / "studies", ignore=shutil.ignore_patterns("*.sqlite*", "*.html"))
    spec = tmp_path / "studies" / "digits.toml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("epochs = 20", "epochs = 1"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    commands = blocks = 0
    for language, body in re.findall(r"```(python|sh)\n(.*?)```", text, flags=re.DOTALL):
        blocks += 1
        if language == "python":
            exec(compile(body, "README.md", "exec"), namespace)
            continue
        for line in body.splitlines():
            arguments = shlex.split(line, comments=True)
            if arguments[:1] == ["topograph"]:
                commands += 1
                assert main(arguments[1:]) == 0, line
    assert blocks == 7
    assert commands == 5
    assert (tmp_path / "small.html").exists()
    assert "held fixed, one standard deviation of the normalized gap of layer 1" in capsys.readouterr().out


def test_it_is_short_enough_to_be_read():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_links_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
