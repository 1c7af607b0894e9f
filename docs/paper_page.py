"""``python docs/paper_page.py``: make ``docs/paper.md``, its figures and the README's summary of it anew.

Tests fail when they are not what the published results say.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

from analysis.paper import PaperResults, load_paper
from analysis.paper.page import fill, page_blocks
from analysis.paper.pictures import CAPTIONS, drawn

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
PAGE = DOCS / "paper.md"
PICTURES = DOCS / "_static" / "paper"
SOURCE = "Source"
"""Key of a picture's metadata that holds the SHA-256 of the runs it was drawn from."""


def page(text: str, results: PaperResults) -> str:
    """The text of ``docs/paper.md`` with its generated parts made anew."""
    return fill(text, page_blocks(results) | {"paper-figures": figures_block(results)})


def readme(text: str, results: PaperResults) -> str:
    """The README with its summary of the paper made anew."""
    return fill(text, {"paper-summary": page_blocks(results)["paper-summary"]})


def figures_block(results: PaperResults) -> str:
    """The figures with their captions; those that wait for networks are named."""
    lines = []
    for name, caption in CAPTIONS.items():
        title = name.replace("-", " ").capitalize()
        if name in drawn(results):
            lines += [f"![{title}: {caption}](_static/paper/{name}.png)", "", f"*{title}.* {caption}.", ""]
        else:
            lines += [f"*{title}* ({caption}) has not been run yet.", ""]
    return "\n".join(lines).strip()


def draw(results: PaperResults) -> None:
    """Write the figures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in PICTURES.glob("*.png"):
        path.unlink()
    for name, figure in drawn(results).items():
        figure.savefig(
            PICTURES / f"{name}.png",
            dpi=110,
            metadata={SOURCE: results.card.tables["runs"]["sha256"], "Software": None},
        )


if __name__ == "__main__":
    matplotlib.use("Agg")
    RESULTS = load_paper()
    draw(RESULTS)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")
