"""`describe_tables`: the description of published results, for readers, made from the results."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from trainers.study.publishing.card import Card
from trainers.study.publishing.tables import EPOCHS, FINAL

_RUNS = {
    "run_id": "hash of all that determines the run: recipe, data, trainer, version of its numbers, settings, seed",
    "topology_id": "hash of the edges: the key of `topologies.parquet`; runs with the same one are a cluster",
    "dataset": "name of the data set",
    "trainer": "name of the trainer",
    "architecture": "neurons of each layer of neurons",
    "construction": "name of the construction, with its options",
    "variant": "what was done to the topology after it was built: plain, null, relabelled, or rewired towards a target",
    "degrees": "outputs of each input asked for, one number per layer",
    "topology_seed, seed": "seeds of the topology and of the training",
    "test_accuracy, train_accuracy": "share of samples classified correctly after training, in [0, 1]",
    "balanced_accuracy": "mean over the classes of the share of their test samples classified correctly",
    "correct, total": "test samples classified correctly, and all of them",
    "seconds": "wall-clock seconds of the training; other work ran beside it, so it is not a measurement of speed",
    "settings": "all training settings but the seed, as JSON; `changed` holds those that are not the defaults",
    "l1_weight_min …": "smallest, largest, mean and standard deviation of the trained weights of each layer",
    "processor": "kind of processor that trained it, where it is known",
    "part": "name of the spec that plans the run",
    "recipe": "how the topology is made, as JSON",
    "versions": "versions of the packages that trained it, as JSON",
    "epochs_trained": "epochs that were trained, fewer than asked for where training stopped early",
}


_FINAL = (
    "what was measured of the network at its end: metrics of its trained weights or of its rewired edges, and how many "
    "weights each layer of a compressed network learnt"
)


def describe_tables(card: Card, tables: Mapping[str, pd.DataFrame]) -> str:
    """The text of the ``README.md`` beside published tables."""
    runs, topologies, curves = (tables[name] for name in ("runs", "topologies", "curves"))
    lines = [
        f"# The published results of `{card.name}`",
        "",
        f"{card.done} of {card.planned} planned networks, on {runs['topology_id'].nunique()} topologies. "
        + ("All parts are complete." if card.done == card.planned else "Not all parts have been run: see below."),
        "",
        "This page is written by `topograph study publish`. Do not edit it, nor the tables: `study.json` holds the "
        "SHA-256 of each, and readers refuse a table that has another one.",
        "",
        "| table | rows | bytes |",
        "|---|---|---|",
        *(f"| `{name}.parquet` | {facts['rows']} | {facts['bytes']} |" for name, facts in card.tables.items()),
        "",
        "## Read, verify, make again",
        "",
        "```sh",
        f"topograph study verify {card.name} --sample 10",
        "```",
        "",
        "trains a random sample again and compares it with what is published: equal to the bit on the same kind of "
        "processor with the same versions, within a stated tolerance elsewhere. Each part is made by "
        "`topograph study run` from the spec of its name; `topograph study publish` adds finished runs of any store to "
        "these tables. Nothing trains into the tables themselves.",
        "",
        "## Parts",
        "",
        "| part | networks planned | published | failed | what it asks |",
        "|---|---|---|---|---|",
        *(f"| `{p.name}` | {p.planned} | {p.done} | {p.failed} | {p.question} |" for p in card.parts),
        "",
        "## `runs.parquet`: one row per trained network",
        "",
        "| column | meaning |",
        "|---|---|",
        *(f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {text} |" for names, text in _RUNS.items()),
        *([f"| `{FINAL}l1_…` | {_FINAL} |"] if any(name.startswith(FINAL) for name in runs.columns) else []),
        "",
        "## `topologies.parquet`: one row per topology",
        "",
        "`topology_id`, then `l1_<metric>`, `l2_<metric>`, … for each layer and `network_<metric>` for the whole "
        "network, in float64; `topograph list metrics` says what each is. A value that is undefined is NaN; "
        "`study.json` lists the reasons. The metrics are: " + _metric_names(topologies) + ".",
        "",
        "## `curves.parquet`: one row per network and epoch",
        "",
        f"`run_id`, `epoch` from 1, then {', '.join(f'`{name}`' for name in curves.columns[2:])}: means over the "
        f"training or validation samples, and shares of samples. Kept are the epochs {', '.join(map(str, EPOCHS))}, "
        "and the last one of each network.",
        "",
        "## Data, versions, licence",
        "",
        *(
            f"- Data set `{name}`, which is not part of these files: {facts['n_train']} training samples, "
            f"{facts['n_features']} features, {facts['n_classes']} classes; SHA-256 of its content "
            f"{facts['content_hash']}."
            for name, facts in card.data.items()
        ),
        *(
            f"- Trainer `{name}`, version {version or 'not stated'} of its numbers."
            for name, version in card.trainers.items()
        ),
        f"- Versions: {'; '.join(sorted(set(runs['versions'])))}.",
        f"- Processors: {'; '.join(sorted(set(runs['processor'])))}.",
        f"- Licence of the tables: {card.licence}.",
        "",
    ]
    return "\n".join(lines)


def _metric_names(topologies: pd.DataFrame) -> str:
    names = dict.fromkeys(column.partition("_")[2] for column in topologies.columns if column != "topology_id")
    return ", ".join(f"`{name}`" for name in names)
