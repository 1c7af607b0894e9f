"""The README's picture: ``python docs/picture.py STORE``, with the store of ``make study``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import seaborn as sns

import analysis
import topograph as tg
from analysis import figures

PICTURE = Path(__file__).parent / "_static" / "picture.png"


def main(store: str) -> None:
    """Draw a mask, the graph that it is, and what the study says of connectivity and accuracy."""
    topology = tg.Topology.build("fibonacci_rotating", sizes=[64, 32, 10], degrees=[5, 4])
    frame = analysis.load_frame(store)
    metrics = ["l1_normalized_gap", "l1_algebraic_connectivity"]
    table = analysis.correlate(frame, "test_accuracy", metrics, control=["l1_log_density"])

    figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.1), layout="constrained", width_ratios=[0.8, 1, 1.25])
    figures.mask_image(topology[0], axes[0])
    axes[0].set_title("a mask …", fontsize=11)
    figures.node_link(topology, axes[1])
    axes[1].set_title("… is a bipartite graph", fontsize=11)
    colours = sns.color_palette("colorblind")
    for number, (method, words) in enumerate([("pearson", "raw"), ("within_cell", "at equal degrees")]):
        rows = table[table["method"] == method].set_index("metric").loc[metrics]
        places = [place + 0.28 * (number - 0.5) for place in range(len(metrics))]
        reach = [rows["estimate"] - rows["low"], rows["high"] - rows["estimate"]]
        axes[2].errorbar(
            rows["estimate"], places, xerr=reach, fmt="os"[number], color=colours[number], capsize=3, label=words
        )
    axes[2].axvline(0, color="0.6", linewidth=1)
    axes[2].set_yticks(range(len(metrics)), ["normalised\ngap", "algebraic\nconnectivity"])
    axes[2].set_ylim(len(metrics) - 0.4, -0.6)
    axes[2].set_xlim(-0.5, 1)
    axes[2].set_xlabel("correlation with test accuracy (95 % interval)")
    axes[2].set_title("does it explain accuracy, beyond density?", fontsize=11)
    axes[2].legend(frameon=False, loc="center right")
    sns.despine(ax=axes[2])
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
