"""Pruners and rewiring rules on Fashion-MNIST, as one table: accuracies, graphs, random tickets, and what follows.

    TOPOGRAPH_DATA=<folder with fashion-mnist/> python benchmarks/pruning_table.py [--stores stores] [--read]

Runs the studies of ``studies/pruning/`` one after the other, on one core, each into a store of its own; stop it at any
time and run it again to go on. ``--read`` trains nothing and prints what there is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import analysis
from trainers.study import run_study

SPECS = Path(__file__).resolve().parents[1] / "studies" / "pruning"
GRAPH = ("l1_normalized_gap", "l1_isolated_left", "l1_density", "l2_density", "l3_density")


def read(stores):
    """All finished networks of all stores, as one frame."""
    frames = [analysis.load_frame(path) for path in sorted(stores.glob("*.sqlite"))]
    frames = [frame.assign(rewiring=frame.get("rewiring", "none")) for frame in frames]
    return pd.concat(frames, ignore_index=True)


def accuracies(found):
    """Method × density: mean accuracy in percent with its interval over seeds."""
    table = found.accuracies.reset_index()
    table["text"] = [
        f"{100 * row['mean']:.1f} ({100 * row['low']:.1f} … {100 * row['high']:.1f})"
        + ("" if row["seeds"] == 5 else f", {int(row['seeds'])} seeds")
        for _, row in table.iterrows()
    ]
    table["density"] = table["density"].map("{:.0%}".format)
    return table.pivot(index="method", columns="density", values="text").reindex(
        columns=["2%", "5%", "10%", "20%", "100%"]
    )


def graphs(frame, density_degrees):
    """Means of graph metrics of the last edges, per method, at one density."""
    part = frame[(frame["variant"] == "plain") & (frame["degrees"] == density_degrees)]
    last = pd.DataFrame(
        {name: part[f"final_{name}"].fillna(part[name]) if f"final_{name}" in part else part[name] for name in GRAPH}
    )
    rule = part["rewiring"].fillna("none")
    method = part["construction"].where(rule == "none", part["construction"] + " + " + rule)
    return last.groupby(method).mean()


def markdown(table, form="{:.3g}".format):
    """A table in Markdown."""
    names = [table.index.name or "", *map(str, table.columns)]
    rows = [[str(key), *(value if isinstance(value, str) else "–" if pd.isna(value) else form(value) for value in row)]
            for key, row in zip(table.index, table.to_numpy(), strict=True)]  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [names, ["---"] * len(names), *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=Path, default=Path("stores"))
    parser.add_argument("--read", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    arguments.stores.mkdir(parents=True, exist_ok=True)
    if not arguments.read:
        for spec in sorted(SPECS.glob("*.toml")):
            run_study(spec, arguments.stores / f"{spec.stem}.sqlite", workers=1)
    frame = read(arguments.stores)
    found = analysis.found_masks(frame)
    print(f"{len(frame)} networks\n\nTest accuracy, %, by density\n\n{markdown(accuracies(found))}\n")
    print(f"Graphs at 5 %, at the end of training\n\n{markdown(graphs(frame, '15-5-0.5'))}\n")
    print("\n".join(f"* {sentence}" for sentence in found.sentences))
    plain = frame[(frame["variant"] == "plain") & (frame["construction"] != "dense")]
    print(f"\nThe verdict on the normalized gap of layer 1: {analysis.verdict(plain, 'l1_normalized_gap')}")


if __name__ == "__main__":
    main()
