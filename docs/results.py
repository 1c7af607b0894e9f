"""The page of benchmarks: what the scripts in benchmarks/ printed, as it is kept in benchmarks/results/."""

from __future__ import annotations

import ast
from pathlib import Path


def benchmarks(scripts: Path) -> str:
    """One section per script: what it measures, and its output where one is kept, else how to run it."""
    parts = []
    for path in sorted(scripts.glob("*.py")):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if doc is None or '__name__ == "__main__"' not in path.read_text(encoding="utf-8"):
            continue
        kept = scripts / "results" / f"{path.stem}.txt"
        shown = (
            f"```text\n{kept.read_text(encoding='utf-8').strip()}\n```"
            if kept.is_file()
            else f"No output is kept. `python benchmarks/{path.name}` prints it."
        )
        parts.append(f"## {path.stem.replace('_', ' ')}\n\n{doc.splitlines()[0]}\n\n{shown}\n")
    return "\n".join(parts)
