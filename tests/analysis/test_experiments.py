from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import analysis
from topograph.errors import InsufficientDataError, UnknownNameError


def simulated(connectivity: float, alignment: float, *, seeds: int = 6, seed: int = 0) -> pd.DataFrame:
    """Three variants of two constructions; ``connectivity`` in accuracy per unit, ``alignment`` for being as built."""
    rng = np.random.default_rng(seed)
    rows = []
    for construction in ("one", "two"):
        for degree in (3, 6):
            for variant, level in (("plain", 0.5), ("relabelled", 0.5), ("min", 0.0), ("max", 1.0)):
                for topology in range(seeds):
                    gap = level + 0.05 * rng.normal()
                    own = rng.normal(scale=0.002)
                    built = alignment * (variant != "relabelled") * (1 if construction == "one" else -1)
                    rows += [
                        {
                            "topology_id": f"{construction}{degree}{variant}{topology}",
                            "construction": construction,
                            "variant": variant,
                            "dataset": "made up",
                            "trainer": "none",
                            "architecture": "9-9-9",
                            "degrees": f"{degree}-9",
                            "gap": gap,
                            "test_accuracy": 0.8 + connectivity * gap + built + own + rng.normal(scale=0.001),
                        }
                        for _ in range(3)
                    ]
    return pd.DataFrame(rows)


def test_both_parts_are_found_and_kept_apart():
    found = analysis.experiment(simulated(0.02, 0.01), "gap", resamples=200)
    assert found.connectivity is not None
    slope = found.connectivity.points / found.connectivity.sd / 100
    assert slope == pytest.approx(0.02, abs=0.003)
    assert found.alignment is not None
    assert found.alignment.loc["one", "points"] == pytest.approx(1.0, abs=0.3)
    assert found.alignment.loc["two", "points"] == pytest.approx(-1.0, abs=0.3)
    assert found.alignment_share[0] > 0.9  # nothing but alignment sets the two constructions apart
    text = str(found)
    assert "By rewiring at fixed degrees" in text
    assert "brought +" in text
    assert "brought -" in text
    assert "alignment with the inputs" in text


def test_nothing_is_found_where_nothing_is():
    claims = sum(
        analysis.experiment(simulated(0.0, 0.0, seed=s), "gap", resamples=100).connectivity.is_clear for s in range(20)
    )
    assert claims <= 4


def test_half_an_experiment_says_what_is_missing():
    frame = simulated(0.02, 0.01)
    rewired = analysis.experiment(frame[frame["variant"] != "relabelled"], "gap")
    assert rewired.alignment is None
    relabelled = analysis.experiment(frame[frame["variant"].isin(["plain", "relabelled"])], "gap", resamples=100)
    assert relabelled.connectivity is None
    with pytest.raises(InsufficientDataError, match="variants"):
        analysis.experiment(frame[frame["variant"] == "plain"], "gap")
    with pytest.raises(UnknownNameError, match="column"):
        analysis.experiment(frame, "gop")


def test_shuffled_layers_which_keep_no_degrees_are_no_part_of_it():
    frame = simulated(connectivity=0.02, alignment=0.0)
    shuffled = frame.assign(variant="shuffled_layers", topology_id="s" + frame["topology_id"], test_accuracy=0.1)
    both = pd.concat([frame, shuffled], ignore_index=True)
    assert str(analysis.experiment(both, "gap", resamples=100)) == str(analysis.experiment(frame, "gap", resamples=100))
    plain = pd.concat([frame[frame["variant"] == "plain"], shuffled], ignore_index=True)
    with pytest.raises(InsufficientDataError, match="neither rewired nor relabelled"):
        analysis.experiment(plain, "gap")
