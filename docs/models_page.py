"""``python docs/models_page.py``: make the generated parts of ``docs/beyond-perceptrons.md`` and its figure anew.

Tests fail when they are not what the published results say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import t as student
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests

import analysis
from analysis.cells import cell_columns
from analysis.effects import Effect
from analysis.naming import listed
from analysis.paper.page import fill
from analysis.published import available_published, open_study
from topograph.errors import InsufficientDataError

DOCS = Path(__file__).parent
PAGE = DOCS / "beyond-perceptrons.md"
PICTURE = DOCS / "_static" / "beyond-perceptrons.png"
SOURCE = "Source"
"""Key of the picture's metadata that holds the SHA-256 of the runs it was drawn from."""
STUDIES = ("convolutional", "recurrent", "attention")
METRICS = {
    "mean_algebraic_connectivity": "λ2, mean over layers",
    "min_algebraic_connectivity": "λ2, smallest layer",
    "mean_normalized_gap": "normalised gap, mean over layers",
}
"""What is asked of each model, in words."""
_MAIN = "mean_algebraic_connectivity"
_UP, _DOWN = "max algebraic_connectivity", "min algebraic_connectivity"
_VARIANTS = {_DOWN: "λ2 brought down", "null": "rewired at random", "plain": "as built", _UP: "λ2 brought up"}


class Results:
    """The published runs of the three studies, model by model."""

    def __init__(self) -> None:
        self.studies = {name: open_study(name) for name in STUDIES if name in available_published()}
        self.models: dict[str, pd.DataFrame] = {}
        for name in self.studies:
            frame = analysis.load_frame(name)
            self.models |= {str(model): rows for model, rows in frame.groupby("model", sort=False)}

    @property
    def source(self) -> str:
        """The SHA-256 of all runs."""
        return " ".join(study.card.tables["runs"]["sha256"] for study in self.studies.values())


def blocks(results: Results) -> dict[str, str]:
    """The generated parts, by the name of their place in the page."""
    return {
        "models-status": status(results),
        "models-verdict": verdict(results),
        "models-arms": arms(results),
        "models-slopes": slopes(results),
    }


def page(text: str, results: Results) -> str:
    """The text of the page with its generated parts made anew."""
    return fill(text, blocks(results))


def status(results: Results) -> str:
    """What has been run, and what has not."""
    lines = ["| study | model | networks | topologies | planned in all |", "|---|---|---|---|---|"]
    for name, study in results.studies.items():
        frame = analysis.load_frame(name)
        for model, rows in frame.groupby("model", sort=False):
            lines.append(
                f"| `studies/{name}.toml` | `{model}` | {len(rows)} | {rows['topology_id'].nunique()} | "
                f"{study.card.planned} |"
            )
    missing = [f"`studies/{name}.toml`" for name in STUDIES if name not in results.studies]
    return "\n".join(lines) + (f"\n\nNot run: {listed(missing)}." if missing else "")


def raised(frame: pd.DataFrame) -> pd.DataFrame:
    """Points of accuracy that bringing λ2 up gained over bringing it down: one row per pair of networks.

    Both networks of a pair have the same degrees, initial weights and batches.
    """
    keys = [*cell_columns(frame), "construction", "topology_seed", "seed"]
    table = frame[frame["variant"].isin([_UP, _DOWN])].pivot_table(
        index=keys, columns="variant", values="test_accuracy"
    )
    return (100 * (table[_UP] - table[_DOWN])).dropna().rename("points").reset_index()


def mean_interval(values: pd.Series) -> tuple[float, float, float]:
    """Mean with Student's 95 % interval."""
    mean, count = float(values.mean()), len(values)
    half = float(student.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return mean, mean - half, mean + half


def detectable(values: pd.Series, power: float = 0.8) -> float:
    """The smallest mean that as many values, as scattered, tell from 0 with this power."""
    count = len(values)
    reach = student.ppf(0.975, count - 1) + student.ppf(power, count - 1)
    return float(reach * values.std(ddof=1) / math.sqrt(count))


def observed(frame: pd.DataFrame, metric: str) -> tuple[Effect | None, Effect | None]:
    """What goes with one standard deviation of a metric at fixed density, and at fixed degrees and seeds."""
    cells = cell_columns(frame)
    found: list[Effect | None] = []
    for held in (cells, (*cells, "construction", "topology_seed")):
        try:
            found.append(analysis.effect(frame, metric, cells=held))
        except InsufficientDataError:
            found.append(None)
    return found[0], found[1]


def verdict(results: Results) -> str:
    """The answer, model by model; the headline is corrected for their number."""
    if not results.models:
        return "Nothing has been run."
    pairs = {model: raised(frame) for model, frame in results.models.items()}
    p_values = [float(ttest_1samp(rows["points"], 0).pvalue) for rows in pairs.values()]
    corrected = dict(zip(pairs, multipletests(p_values, method="holm")[1], strict=True))
    clear = [f"`{model}`" for model, p in corrected.items() if p < 0.05]
    number = f"{len(pairs)} model{'s' if len(pairs) > 1 else ''}"
    answer = (
        f"**In {len(clear)} of {number} connectivity clearly changed accuracy at equal degrees: {listed(clear)}.**"
        if clear
        else f"**In none of {number} did connectivity clearly change accuracy once degrees were equal.**"
    )
    return "\n".join([answer, "", *(_sentence(m, results.models[m], pairs[m], corrected[m]) for m in pairs)])


def _sentence(model: str, frame: pd.DataFrame, pairs: pd.DataFrame, corrected: float) -> str:
    mean, low, high = mean_interval(pairs["points"])
    down, up = _shift(frame)
    raw, seeds = float(frame[_MAIN].corr(frame["test_accuracy"])), pairs["seed"].nunique()
    return (
        f"- `{model}`: with nothing held fixed, λ2 correlates with test accuracy by {signed(raw)}. Bringing it from "
        f"{down:.2f} up to {up:.2f} on average, at equal degrees, brought {signed(mean)} points ({signed(low)} … "
        f"{signed(high)}; {len(pairs)} pairs of {seeds} seeds; p = {corrected:.2g} after Holm's correction). So many "
        f"pairs could have seen {detectable(pairs['points']):.2f} points."
    )


def _shift(frame: pd.DataFrame) -> tuple[float, float]:
    """The mean λ2 of networks whose λ2 was brought down, and up."""
    means = frame.groupby("variant")[_MAIN].mean()
    return float(means[_DOWN]), float(means[_UP])


def arms(results: Results) -> str:
    """Mean accuracy and λ2 of each variant, at each density."""
    names = [name for name in _VARIANTS if any((frame["variant"] == name).any() for frame in results.models.values())]
    lines = ["| model | density | " + " | ".join(_VARIANTS[name] for name in names) + " | up − down |"]
    lines.append("|---|---|" + "---|" * (len(names) + 1))
    for model, frame in results.models.items():
        pairs = raised(frame)
        for density, rows in frame.groupby("density"):
            variants = rows.groupby("variant")
            accuracy, connectivity = variants["test_accuracy"].mean(), variants[_MAIN].mean()
            cells = [
                f"{100 * accuracy[name]:.2f} at {connectivity[name]:.2f}" if name in accuracy.index else "not planned"
                for name in names
            ]
            mean, low, high = mean_interval(pairs.loc[pairs["density"] == density, "points"])
            cells.append(f"{signed(mean)} ({signed(low)} … {signed(high)})")
            lines.append(f"| `{model}` | {100 * density:g} % | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def slopes(results: Results) -> str:
    """Raw correlations, and changes per standard deviation at fixed density, and at fixed degrees and seeds."""
    lines = ["| model | metric | raw correlation | at fixed density | at fixed degrees and seed |"]
    lines.append("|---|---|---|---|---|")
    for model, frame in results.models.items():
        for metric, words in METRICS.items():
            raw = float(frame[metric].corr(frame["test_accuracy"]))
            cells = [signed(raw), *(_effect(found) for found in observed(frame, metric))]
            lines.append(f"| `{model}` | {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _effect(found: Effect | None) -> str:
    if found is None:
        return "does not vary"
    text = f"{signed(found.change)} ({signed(found.low)} … {signed(found.high)})"
    return f"**{text}**" if found.is_clear else f"{text}; {found.detectable:.2f} could have been seen"


def signed(value: float) -> str:
    """A number with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def draw(results: Results) -> Figure:
    """Accuracy over λ2, one panel per model: a colour per density, a line between the networks of a pair."""
    count = len(results.models)
    columns = min(count, 2)
    rows_of_panels = -(-count // columns)
    figure, axes = plt.subplots(
        rows_of_panels, columns, figsize=(5 * columns, 3.8 * rows_of_panels), squeeze=False, layout="constrained"
    )
    for ax in axes.flat[count:]:
        ax.axis("off")
    for ax, (model, frame) in zip(axes.flat, results.models.items(), strict=False):
        for colour, (density, rows) in zip(plt.cm.viridis([0.0, 0.45, 0.8]), frame.groupby("density"), strict=False):
            for line in _pairs(rows):
                ax.plot(line[_MAIN], 100 * line["test_accuracy"], color=colour, linewidth=0.6, alpha=0.5)
            ax.scatter(
                rows[_MAIN], 100 * rows["test_accuracy"], s=14, color=colour, label=f"density {100 * density:g} %"
            )
        ax.set_title(model, fontsize=10)
        ax.set_xlabel("λ2, mean over layers")
        ax.set_ylabel("test accuracy in %")
        ax.legend(frameon=False, fontsize=8)
    return figure


def _pairs(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The networks whose λ2 was brought down and up from one topology."""
    moved = rows[rows["variant"].isin([_UP, _DOWN])]
    for _, pair in moved.groupby([*cell_columns(rows), "construction", "topology_seed"]):
        if len(pair) > 1:
            yield pair.sort_values(_MAIN)


if __name__ == "__main__":
    matplotlib.use("Agg")
    RESULTS = Results()
    draw(RESULTS).savefig(PICTURE, dpi=110, metadata={SOURCE: RESULTS.source, "Software": None})
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")
