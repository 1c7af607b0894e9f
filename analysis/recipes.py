"""Recipes for tables that other people published: what to rename, which cells, metrics and controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from topograph.errors import UnknownNameError


@dataclass(frozen=True)
class Recipe:
    """How a published table is analysed; the table itself is the user's.

    Parameters
    ----------
    name
        Name of the recipe.
    title
        What the table holds.
    source
        Where it was published.
    file
        What the file is called there or here, and where its rows come from.
    outcome
        The dependent variable, after renaming.
    metrics
        Columns that may explain it beyond density.
    columns
        Its column → ours; those that the table lacks are passed over.
    cells
        Columns that together name a cell; empty where none makes sense.
    control
        Columns held fixed by regression.
    bins
        New column → the column, and the number of its quantiles, that it is made from.
    """

    name: str
    title: str
    source: str
    file: str
    outcome: str
    metrics: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    bins: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def prepare(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with its bins."""
        made = {
            name: pd.qcut(frame[column], count, labels=False, duplicates="drop")
            for name, (column, count) in self.bins.items()
        }
        attributes = frame.attrs
        frame = frame.assign(**made)
        frame.attrs = attributes
        return frame


RECIPES = (
    Recipe(
        name="mge-snn",
        title="1,975 pruned networks, layer by layer: Δr and iterative IMDB at 60 model × data × sparsity cells",
        source="Cunegatti, Bucur & Iacca (TMLR 2024), Understanding sparse neural networks from their topology via "
        "multipartite graph representations; results of eliacunegatti/mge-snn",
        file="one row per network, averaged over its layers: accuracy, model, dataset, sparsity, mean_layer_density, "
        "delta_r, rimdb, lam_imsg",
        outcome="test_accuracy",
        metrics=("delta_r", "rimdb", "lam_imsg"),
        columns={"accuracy": "test_accuracy"},
        cells=("model", "dataset", "sparsity"),
        control=("mean_layer_density",),
    ),
    Recipe(
        name="mge-snn-unrolled",
        title="2,337 pruned networks as one multipartite graph each: 16 topological metrics",
        source="Cunegatti, Bucur & Iacca (TMLR 2024); results of eliacunegatti/mge-snn, end-to-end graphs",
        file="one row per network: accuracy, pruning, sparsity, model, dataset, edges and the metrics",
        outcome="test_accuracy",
        metrics=(
            "spectral_gap", "spectral_radius", "motif", "k-core", "cut-edges", "cut-nodes", "sink_nodes",
            "source_nodes", "disc_nodes", "r-out", "r-in", "avg_node_strength", "1-hop_nei", "2-hop_nei",
        ),
        columns={"accuracy": "test_accuracy"},
        cells=("model", "dataset", "sparsity"),
        control=("edges",),
    ),
    Recipe(
        name="ramanujan-on-pai",
        title="60 networks pruned at initialization: Ramanujan bounds and IMDB in 10 cells",
        source="Hoang, Liu, Marculescu & Wang (ICLR 2023), Revisiting pruning at initialization through the lens of "
        "Ramanujan graph; summarised results of VITA-Group/ramanujan-on-pai",
        file="one row per model, method and density: acc, sparsity_mean (mean layer density), sm, rm, ism, irm (mean)",
        outcome="test_accuracy",
        metrics=("sm_mean", "rm_mean", "ism_mean", "irm_mean"),
        columns={"acc": "test_accuracy", "sparsity_mean": "mean_layer_density"},
        cells=("model_type", "global_density"),
        control=("mean_layer_density",),
    ),
    Recipe(
        name="graph2nn",
        title="3,942 relational graphs, each trained 5 times as an MLP: clustering and path length",
        source="You, Leskovec, He & Xie (ICML 2020), Graph structure of neural networks; results of "
        "facebookresearch/graph2nn, mlp on CIFAR-10",
        file="one row per training: graph, graph_sparsity (the graph's density), C, L, acc",
        outcome="test_accuracy",
        metrics=("L", "C"),
        columns={"graph": "topology_id", "acc": "test_accuracy"},
        cells=("density_bin",),
        control=("graph_sparsity",),
        bins={"density_bin": ("graph_sparsity", 20)},
    ),
    Recipe(
        name="state-of-sparsity",
        title="ResNet-50 pruned by magnitude or at random: schedules at six sparsities",
        source="Gale, Elsen & Hooker (2019), The state of sparsity in deep neural networks; as collected by "
        "JJGO/shrinkbench",
        file="one row per training: Sparsity (or Target Sparsity), begin, end, freq, label smoothing, accuracy",
        outcome="test_accuracy",
        metrics=("begin", "end", "freq", "label smoothing"),
        columns={"accuracy": "test_accuracy", "Target Sparsity": "sparsity", "Sparsity": "sparsity"},
        cells=("sparsity",),
    ),
    Recipe(
        name="state-of-sparsity-learned",
        title="ResNet-50 with variational dropout or L0 regularization, which find their own sparsity",
        source="Gale, Elsen & Hooker (2019), The state of sparsity in deep neural networks; as collected by "
        "JJGO/shrinkbench",
        file="one row per training: global sparsity, Accuracy, label_smoothing and the method's own settings",
        outcome="test_accuracy",
        metrics=(
            "label_smoothing", "weight_decay", "initial_log_alpha", "DKL loss begin", "DKL loss saturate",
        ),
        columns={
            "accuracy": "test_accuracy", "Accuracy": "test_accuracy",
            "global sparsity": "sparsity", "global_sparsity": "sparsity",
        },
        control=("log_density",),
    ),
    Recipe(
        name="shrinkbench",
        title="accuracies that 81 pruning papers report, with holes, units and text",
        source="Blalock, Gonzalez Ortiz, Frankle & Guttag (MLSys 2020), What is the state of neural network pruning?; "
        "JJGO/shrinkbench",
        file="one row per result: Dataset, Model, Top1, OrigTop1, savedParams",
        outcome="Top1",
        metrics=("OrigTop1",),
        cells=("Dataset", "Model"),
        control=("savedParams",),
    ),
)  # fmt: skip
"""Every recipe."""


def get_recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises
    ------
    UnknownNameError
        When there is none.

    Examples
    --------
    >>> get_recipe("graph2nn").metrics
    ('L', 'C')
    """
    by_name = {recipe.name: recipe for recipe in RECIPES}
    if name not in by_name:
        raise UnknownNameError.among("recipe", name, by_name)
    return by_name[name]


def describe_recipes() -> pd.DataFrame:
    """All recipes: what their tables hold, and where they were published.

    Examples
    --------
    >>> "graph2nn" in describe_recipes().index
    True
    """
    rows = {recipe.name: {"title": recipe.title, "source": recipe.source, "file": recipe.file} for recipe in RECIPES}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recipe")
