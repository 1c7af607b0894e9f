"""Measure a sharded checkpoint of seven billion parameters, layer by layer, and say what it took.

    python benchmarks/large_checkpoint.py FOLDER                    make it (13.5 GB of bfloat16), measure, delete it
    python benchmarks/large_checkpoint.py FOLDER --keep             the same, and keep the files
    python benchmarks/large_checkpoint.py FOLDER --density 0.5      half of the weights are not 0, not a twentieth

The shapes are those of a transformer with 32 blocks of width 4,096.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path

import numpy as np

import topograph as tg

SHOWN = ["n_left", "n_right", "n_edges", "density", "algebraic_connectivity", "normalized_gap"]
WIDTH, HIDDEN, WORDS, BLOCKS, SHARDS = 4096, 11008, 32000, 32, 6


def shapes(blocks: int) -> dict[str, tuple[int, int]]:
    """Name → shape, outputs × inputs."""
    found = {"model.embed_tokens.weight": (WORDS, WIDTH)}
    for block in range(blocks):
        for name in "qkvo":
            found[f"model.layers.{block}.self_attn.{name}_proj.weight"] = (WIDTH, WIDTH)
        for name in ("gate", "up"):
            found[f"model.layers.{block}.mlp.{name}_proj.weight"] = (HIDDEN, WIDTH)
        found[f"model.layers.{block}.mlp.down_proj.weight"] = (WIDTH, HIDDEN)
    return {**found, "lm_head.weight": (WORDS, WIDTH)}


def make(folder: Path, blocks: int, density: float) -> int:
    """Write the shards and their index; returns the number of parameters."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    size = 8 << 20
    weights = random.normal(size=size).astype(np.float32) * (random.random(size) < density)
    tile = (weights.view(np.uint32) >> 16).astype("<u2")  # bfloat16, cut off
    tile = np.concatenate([tile, tile])
    names = list(shapes(blocks).items())
    places, total = {}, 0
    for shard in range(SHARDS):
        own = dict(names[shard * len(names) // SHARDS : (shard + 1) * len(names) // SHARDS])
        file_name = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        header, offset = {"__metadata__": {"format": "pt"}}, 0
        for name, shape in own.items():
            end = offset + 2 * shape[0] * shape[1]
            header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
            offset, places[name] = end, file_name
        text = json.dumps(header).encode()
        with (folder / file_name).open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for n, m in own.values():
                left = n * m
                total += left
                while left:
                    start = int(random.integers(size))
                    count = min(left, size)
                    tile[start : start + count].tofile(file)
                    left -= count
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return total


def main() -> None:
    """Make, measure, report, delete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--metrics", default="fast")
    parser.add_argument("--density", type=float, default=0.05)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    total = make(options.folder, options.blocks, options.density)
    print(f"made {total:,} parameters in {time.monotonic() - began:.0f} s")
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        table = tg.measure(options.folder, options.metrics.split(","), progress=True)
        seconds = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finally:
        if not options.keep:
            shutil.rmtree(options.folder)
    print(table.iloc[[0, 1, 5, -2, -1]][table.columns.intersection(SHOWN)].round(4).to_string())
    print(f"{len(table)} tensors, {seconds:.0f} s, peak memory {after / 2**20:.2f} GiB ({before / 2**20:.2f} before)")


if __name__ == "__main__":
    main()
