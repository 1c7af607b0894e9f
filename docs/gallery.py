"""The pictures of the gallery: the blocks of docs/gallery.md are run, and every figure that one draws is saved."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib

_BLOCK = re.compile(r"^```python\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
_DRAWN = re.compile(r"^ax = figures\.(\w+)\(", flags=re.MULTILINE)


def draw(page: Path, folder: Path) -> None:
    """Save the figure of each block under its name."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    namespace: dict[str, object] = {}
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, page.name, "exec"), namespace)
        for name in _DRAWN.findall(block):
            namespace["ax"].figure.savefig(folder / f"{name}.png", dpi=90)  # type: ignore[attr-defined]
            plt.close("all")
