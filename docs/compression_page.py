"""``python docs/compression_page.py``: make the generated parts of ``docs/compression.md`` and its figure anew.

Tests fail when they are not what the published results say.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import analysis
from analysis.naming import listed
from analysis.paper.page import fill
from analysis.published import open_study

DOCS = Path(__file__).parent
PAGE = DOCS / "compression.md"
PICTURE = DOCS / "_static" / "compression.png"
SOURCE = "Source"
"""Key of the picture's metadata that holds the SHA-256 of the runs it was drawn from."""
STUDY = "compression"
TIMES = DOCS.parent / "analysis" / "published_results" / "compression-times.csv"
"""Seconds of processor time per epoch, written by ``benchmarks/compression_times.py``."""
_FAMILIES = ("low_rank", "circulant", "hashed", "tensor_train")
_SPARSE = ("random_regular", "regular_rotating", "fibonacci_rotating")
_DENSE = ("dense", "dense + dropconnect")


class Arm:
    """The runs of equally many epochs, and how their families compare."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.found = frame, analysis.compare_families(frame)
        self.datasets = [name for name in ("mnist", "fashion-mnist") if name in set(frame["dataset"])]
        self.degrees = sorted({d for d in frame["degrees"] if d != "300-10"}, key=lambda d: int(d.partition("-")[0]))
        self.seeds = frame.groupby("dataset")["seed"].nunique()

    def outcomes(self, dataset: str, family: str) -> pd.DataFrame:
        """The rows of a family, indexed by degrees."""
        table = self.found.outcomes.reset_index()
        return table[(table["dataset"] == dataset) & (table["family"] == family)].set_index("degrees")

    def differences(self, against: str) -> pd.DataFrame:
        """Differences in points, one row per data set, budget and family."""
        table = self.found.differences.reset_index()
        table = table[table["against"] == against]
        return table.assign(**{name: 100 * table[name] for name in ("difference", "low", "high")})


class Results:
    """The published runs and their comparison, after each number of epochs."""

    def __init__(self) -> None:
        self.study = open_study(STUDY)
        self.frame = analysis.load_frame(STUDY)
        epochs = self.frame.get("epochs", pd.Series(1, index=self.frame.index))
        self.arms = {int(n): Arm(rows) for n, rows in self.frame.groupby(epochs)}


def share(degrees: str) -> str:
    """The first layer's share of parameters, in words."""
    return f"{int(degrees.partition('-')[0]) / 3:g} %"


def blocks(results: Results) -> dict[str, str]:
    """The generated parts, by the name of their place in the page."""
    return {
        "compression-status": status(results),
        "compression-verdict": verdict(results),
        "compression-accuracies": accuracies(results),
        "compression-differences": differences(results),
        "compression-ranks": ranks(results),
        "compression-times": times(),
    }


def page(text: str, results: Results) -> str:
    """The text of ``docs/compression.md`` with its generated parts made anew."""
    return fill(text, blocks(results))


def status(results: Results) -> str:
    """What has been run, and what has not."""
    card = results.study.card
    counts = [
        f"after {epochs_in_words(epochs)} {arm.seeds[name]} seed{'s' if arm.seeds[name] > 1 else ''} on {name}"
        for epochs, arm in results.arms.items()
        for name in arm.datasets
    ]
    left = card.planned - card.done
    rest = f" The other {left} have not been run." if left else ""
    return f"{card.done} of {card.planned} planned networks are published: {listed(counts)}.{rest}"


def epochs_in_words(epochs: int) -> str:
    """One epoch, ten epochs."""
    return {1: "one epoch", 10: "ten epochs"}.get(epochs, f"{epochs} epochs")


def verdict(results: Results) -> str:
    """The answer, with the rule that it follows."""
    parts = [_verdict(epochs, arm) for epochs, arm in results.arms.items()]
    return "\n\n".join([*parts, *_trend(results)])


def _trend(results: Results) -> list[str]:
    """Whether longer training favours the sparse network, where both were run."""
    if len(results.arms) < 2:
        return []
    first, last = min(results.arms), max(results.arms)
    keys = ["dataset", "degrees", "family"]
    before, after = (results.arms[n].differences("best").set_index(keys)["difference"] for n in (first, last))
    change = (after - before).dropna()
    return [
        f"From {epochs_in_words(first)} to {epochs_in_words(last)}, the difference between a compression and the best "
        f"construction moves in favour of the sparse network at {int((change < 0).sum())} of {len(change)} pairs of "
        f"compression and budget, by {_signed(-change.median()).lstrip('+')} points in the median."
    ]


def _verdict(epochs: int, arm: Arm) -> str:
    best, median = arm.differences("best"), arm.differences("median")
    cells = best.groupby(["dataset", "degrees"], sort=False)
    beaten = [key for key, rows in cells if (rows["low"] > 0).any()]
    held = [key for key, rows in cells if (rows["high"] < 0).all()]
    lines = []
    for dataset in arm.datasets:
        total = sum(name == dataset for name, _ in cells.groups)
        lost, kept = (sum(name == dataset for name, _ in keys) for keys in (beaten, held))
        answer = "no" if lost > total / 2 else "yes" if kept > total / 2 else "these runs do not decide it"
        lines.append(
            f"**After {epochs_in_words(epochs)}, on {dataset}: {answer}.** At {lost} of {total} budgets some "
            f"compression is clearly better than the best sparse construction of as many parameters; at {kept} the "
            "best construction is clearly better than all compressions."
        )
        lines.append("")
    for family in _FAMILIES:
        rows, middle = best[best["family"] == family], median[median["family"] == family]
        lines.append(
            f"- `{family}` against the best construction: {_counts(rows)}, {_range(rows)}; against the median one: "
            f"{_counts(middle)}, {_range(middle)}."
        )
    winners = [
        max(_FAMILIES, key=lambda f: arm.outcomes(d, f)["mean"].get(g, -1)) for d in arm.datasets for g in arm.degrees
    ]
    top = pd.Series(winners).value_counts()
    named = [f"`{name}` at {count}" for name, count in top.items()]
    lines += ["", f"The compression with the highest mean is {listed(named)} of {len(winners)} budgets."]
    return "\n".join(lines)


def _counts(rows: pd.DataFrame) -> str:
    better, worse = int((rows["low"] > 0).sum()), int((rows["high"] < 0).sum())
    parts = [(better, "clearly better"), (worse, "clearly worse"), (len(rows) - better - worse, "not told apart")]
    return listed([f"{words} at {count}" for count, words in parts if count]) + f" of {len(rows)} budgets"


def _range(rows: pd.DataFrame) -> str:
    return f"{_signed(rows['difference'].min())} to {_signed(rows['difference'].max())} points"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def accuracies(results: Results) -> str:
    """Mean accuracy of each family at each budget, in percent, with half the width of its interval."""
    lines = []
    for epochs, arm in results.arms.items():
        for dataset in arm.datasets:
            lines += [f"**{dataset}, {epochs_in_words(epochs)}**", ""]
            lines += ["| family | " + " | ".join(map(share, arm.degrees)) + " |", "|---|" + "---|" * len(arm.degrees)]
            for family in (*_FAMILIES, *_SPARSE):
                rows = arm.outcomes(dataset, family)
                lines.append(f"| `{family}` | " + " | ".join(_mean(rows, d) for d in arm.degrees) + " |")
            for family in _DENSE:
                rows = arm.outcomes(dataset, family)
                if len(rows):
                    lines.append(f"| `{family}`, all parameters | {_mean(rows, '300-10')} |")
                    lines[-1] += " |" * (len(arm.degrees) - 1)
            lines.append("")
    return "\n".join(lines).strip()


def _mean(rows: pd.DataFrame, degrees: str) -> str:
    if degrees not in rows.index:
        return "not run"
    row = rows.loc[degrees]
    half = 100 * (row["high"] - row["mean"])
    return f"{100 * row['mean']:.2f}" + ("" if np.isnan(half) else f" ± {half:.2f}")


def differences(results: Results) -> str:
    """How much better each compression is than the best sparse construction, in points, with its interval."""
    return "\n\n".join(_differences(epochs, arm) for epochs, arm in results.arms.items())


def _differences(epochs: int, arm: Arm) -> str:
    best = arm.differences("best").set_index(["dataset", "family", "degrees"])
    lines = [f"| {epochs_in_words(epochs)} | family | " + " | ".join(map(share, arm.degrees)) + " |"]
    lines.append("|---|---|" + "---|" * len(arm.degrees))
    for dataset in arm.datasets:
        for family in _FAMILIES:
            cells = [
                "not run"
                if (dataset, family, degrees) not in best.index
                else "{} ({} … {})".format(
                    *(_signed(best.loc[(dataset, family, degrees), name]) for name in ("difference", "low", "high"))
                )
                for degrees in arm.degrees
            ]
            lines.append(f"| {dataset} | `{family}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ranks(results: Results) -> str:
    """What each first layer's matrix looks like after training: parameters, effective and stable rank."""
    if "final_l1_effective_rank" not in results.frame.columns:
        return "The spectra of the trained matrices have not been measured."
    first = results.arms[min(results.arms)]
    runs = first.frame[first.frame["dataset"] == "mnist"]
    measured = runs[runs["final_l1_effective_rank"].notna()]
    seeds = ", ".join(map(str, sorted(measured["seed"].unique())))
    lines = [
        f"Means over {len(measured)} networks on mnist (seeds {seeds}) of {len(runs)}; the spectra of the others "
        "were taken of magnitudes, by a bug that this table brought to light, and are left out.",
        "",
        "| family | " + " | ".join(map(share, first.degrees)) + " |",
        "|---|" + "---|" * len(first.degrees),
    ]
    for family in (*_FAMILIES, *_SPARSE):
        rows = measured[measured["family"] == family].groupby("degrees")
        names = ["l1_n_parameters", "final_l1_effective_rank", "final_l1_stable_rank"]
        means = rows[names].mean().reindex(first.degrees)
        cells = [f"{count:.0f}, {rank:.0f}, {stable:.1f}" for count, rank, stable in means.itertuples(index=False)]
        lines.append(f"| `{family}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def times() -> str:
    """Seconds of the processor for an epoch."""
    table = pd.read_csv(TIMES)
    shares = sorted(table.loc[table["share"] < 1, "share"].unique())
    lines = ["| family | trainer | " + " | ".join(f"{100 * s:g} %" for s in shares) + " |"]
    lines.append("|---|---|" + "---|" * len(shares))
    for (family, trainer), rows in table[table["share"] < 1].groupby(["family", "trainer"], sort=False):
        seconds = rows.set_index("share")["seconds"]
        lines.append(f"| `{family}` | `{trainer}` | " + " | ".join(f"{seconds[s]:.2f}" for s in shares) + " |")
    for _, row in table[table["share"] == 1].iterrows():
        lines.append(f"| `{row['family']}`, all parameters | `{row['trainer']}` | {row['seconds']:.2f} |")
        lines[-1] += " |" * (len(shares) - 1)
    (processor,) = table["processor"].unique()
    return "\n".join(lines) + f"\n\nProcessor: {processor}."


def draw(results: Results) -> Figure:
    """Accuracy over the budget: compressions in colour, constructions in grey, the dense network as a line."""
    rows, columns = len(results.arms), max(len(arm.datasets) for arm in results.arms.values())
    figure, axes = plt.subplots(rows, columns, figsize=(6 * columns, 4.2 * rows), squeeze=False)
    for row, (epochs, arm) in zip(axes, results.arms.items(), strict=True):
        for ax in row[len(arm.datasets) :]:
            ax.axis("off")
        for ax, dataset in zip(row, arm.datasets, strict=False):
            _panel(ax, arm, dataset)
            ax.set_title(f"{dataset}, {epochs_in_words(epochs)}")
    axes[0, -1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    return figure


def _panel(ax: plt.Axes, arm: Arm, dataset: str) -> None:
    x = [int(d.partition("-")[0]) / 3 for d in arm.degrees]
    for marker, family in zip("osD^", _FAMILIES, strict=True):
        _line(ax, x, arm.outcomes(dataset, family).reindex(arm.degrees), family, marker=marker)
    for style, family in zip(("-", "--", ":"), _SPARSE, strict=True):
        rows = arm.outcomes(dataset, family).reindex(arm.degrees)
        _line(ax, x, rows, family, marker="x", color="0.45", linestyle=style)
    for style, family in zip(("-", "-."), _DENSE, strict=True):
        rows = arm.outcomes(dataset, family)
        if len(rows):
            ax.axhline(100 * rows["mean"].iloc[0], color="black", linestyle=style, linewidth=0.8, label=family)
    ax.set_xscale("log")
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.minorticks_off()
    low = min(100 * arm.outcomes(dataset, f)["mean"].min() for f in _SPARSE)
    high = max(100 * arm.outcomes(dataset, f)["mean"].max() for f in (*_FAMILIES, *_SPARSE, *_DENSE))
    ax.set_ylim(low - 3, high + 1)  # low_rank falls below at the smallest budgets: the table says how far
    ax.set_xlabel("parameters of the first layer, in % of the dense one's")
    ax.set_ylabel("test accuracy in %")


def _line(ax: plt.Axes, x: list[float], rows: pd.DataFrame, family: str, **style: str) -> None:
    half = (100 * (rows["high"] - rows["mean"])).fillna(0)
    ax.errorbar(x, 100 * rows["mean"], yerr=half, label=family, capsize=2, linewidth=1.2, markersize=5, **style)


if __name__ == "__main__":
    matplotlib.use("Agg")
    RESULTS = Results()
    draw(RESULTS).savefig(
        PICTURE, dpi=110, metadata={SOURCE: RESULTS.study.card.tables["runs"]["sha256"], "Software": None}
    )
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")
