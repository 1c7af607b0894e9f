"""Pictures of the graphs themselves: the mask, and neurons with their edges."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from analysis.figures.registry import figure
from topograph.graph import BipartiteGraph
from topograph.topology import Topology

__all__ = ["mask_image", "node_link"]

_MOST_LINES = 4000


@figure()
def mask_image(graph: BipartiteGraph, ax: Axes) -> None:
    """The mask as an image: inputs downwards, outputs to the right, dark where they connect.

    A mask larger than the picture can show is averaged over blocks, so that grey is density.

    Parameters
    ----------
    graph
        Graph of one layer.
    """
    rows, columns = (min(size, 600) for size in graph.shape)
    edges = graph.edges()
    bounds = [np.linspace(0, size, parts + 1) for size, parts in zip(graph.shape, (rows, columns), strict=True)]
    counts, _, _ = np.histogram2d(edges[:, 0] + 0.5, edges[:, 1] + 0.5, bins=bounds)
    area = np.outer(*(np.maximum(np.diff(edge), 1) for edge in bounds))
    image = (counts / area).clip(0, 1)
    extent = (0, graph.n_right, graph.n_left, 0)
    ax.imshow(
        image, cmap="Greys", vmin=0, vmax=max(image.max(), 1e-9), aspect="auto", interpolation="nearest", extent=extent
    )
    ax.set_xlabel(f"outputs ({graph.n_right})")
    ax.set_ylabel(f"inputs ({graph.n_left})")
    ax.set_title(f"{graph.n_edges:,} edges, density {100 * graph.density:.3g} %", fontsize=10)


@figure()
def node_link(graph: BipartiteGraph | Topology, ax: Axes, *, seed: int = 0) -> None:
    """Groups of neurons as columns, edges as lines between them.

    Parameters
    ----------
    graph
        Graph of one layer, or a whole network.
    seed
        Seed of the sample of edges that is drawn where there are more than 4,000; the title says so.
    """
    layers = [graph] if isinstance(graph, BipartiteGraph) else list(graph)
    sizes = [layers[0].n_left, *(layer.n_right for layer in layers)]
    places = [(np.arange(size) + 0.5) / size for size in sizes]
    total = sum(layer.n_edges for layer in layers)
    share = min(1.0, _MOST_LINES / max(total, 1))
    generator = np.random.default_rng(seed)
    colour = sns.color_palette("colorblind")[0]
    for number, layer in enumerate(layers):
        edges = layer.edges()
        if share < 1:
            edges = edges[generator.random(len(edges)) < share]
        lines = np.stack(
            [
                np.column_stack([np.full(len(edges), number), places[number][edges[:, 0]]]),
                np.column_stack([np.full(len(edges), number + 1), places[number + 1][edges[:, 1]]]),
            ],
            axis=1,
        )
        alpha = float(np.clip(300 / max(len(edges), 1), 0.08, 0.9))
        ax.add_collection(LineCollection(list(lines), colors=[colour], linewidths=0.6, alpha=alpha))
    for number, place in enumerate(places):
        ax.plot(
            np.full(place.size, number), place, "o", color="0.15", markersize=float(np.clip(120 / place.size, 1, 6))
        )
    names = ["inputs", *(f"hidden {i}" for i in range(1, len(layers))), "outputs"]
    ax.set_xticks(range(len(sizes)), [f"{name} ({size})" for name, size in zip(names, sizes, strict=True)])
    ax.set_yticks([])
    ax.invert_yaxis()
    ax.set_xlim(-0.2, len(sizes) - 0.8)
    shown = "" if share == 1 else f", {_MOST_LINES:,} of them drawn"
    ax.set_title(f"{total:,} edges{shown}", fontsize=10)
    sns.despine(ax=ax, left=True, bottom=True)
