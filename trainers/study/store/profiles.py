"""What was measured of topologies, read from a store: one row per value, or one row per topology."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from trainers.study.records import numbered_columns
from trainers.study.store.access import damage_said, read


class Profiles(NamedTuple):
    """Measurements of equally many layers and metrics."""

    names: list[tuple[str, str]]
    """Layer and metric of each column."""
    topologies: list[str]
    values: npt.NDArray[np.float64]
    """One row per topology; so are the residuals."""
    residuals: npt.NDArray[np.float64]
    reasons: list[str]
    """For each topology, column → reason as JSON."""


def long_metrics(file: Path, path: Path) -> pd.DataFrame:
    """One row per topology, layer and metric; ``path`` is what errors call the file."""
    pieces = []
    with damage_said(path):
        for names, ids, values, residuals, reasons in _profiles(file):
            count = len(names)
            pieces.append(
                pd.DataFrame(
                    {
                        "topology_id": np.repeat(np.array(ids, dtype=object), count),
                        "layer": np.tile(np.array([layer for layer, _ in names], dtype=object), len(ids)),
                        "metric": np.tile(np.array([metric for _, metric in names], dtype=object), len(ids)),
                        "value": values.ravel(),
                        "residual": residuals.ravel(),
                        "reason": [found.get(str(i)) for found in map(json.loads, reasons) for i in range(count)],
                    }
                )
            )
    columns = ["topology_id", "layer", "metric", "value", "residual", "reason"]
    table = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=columns)
    # the latest measurement counts
    return table.drop_duplicates(columns[:3], keep="last", ignore_index=True)


def wide_metrics(file: Path, path: Path) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """One row per topology, and column → the reasons of undefined values."""
    table = pd.DataFrame(index=pd.Index([], name="topology_id", dtype=object))
    reasons: dict[str, set[str]] = {}
    with damage_said(path):
        for names, ids, values, _, given in _profiles(file):
            columns = numbered_columns(names)
            piece = pd.DataFrame(values, index=pd.Index(ids, name="topology_id", dtype=object), columns=columns)
            table = piece if table.empty else piece.combine_first(table)[_in_order(table.columns, columns)]
            for text in dict.fromkeys(given):
                for position, reason in json.loads(text).items():
                    reasons.setdefault(columns[int(position)], set()).add(reason)
    return table, {column: sorted(reasons[column]) for column in table.columns if column in reasons}


def _profiles(file: Path) -> Iterator[Profiles]:
    """The measurements, those of equal layers and metrics together, the latest last."""
    with read(file) as connection:
        profiles = connection.execute(
            "SELECT profile, names FROM profiles ORDER BY (SELECT MAX(measured) FROM metrics m "
            "WHERE m.profile = profiles.profile)"
        ).fetchall()
        for profile, text in profiles:
            names = [(layer, metric) for layer, metric in json.loads(text)]
            rows = connection.execute(
                "SELECT topology_id, vals, residuals, reasons FROM metrics WHERE profile = ?", (profile,)
            ).fetchall()
            ids, values, residuals, reasons = zip(*rows, strict=True) if rows else ((), (), (), ())
            yield Profiles(names, list(ids), _matrix(values, names), _matrix(residuals, names), list(reasons))


def _matrix(blobs: Iterable[bytes], names: list[tuple[str, str]]) -> npt.NDArray[Any]:
    return np.frombuffer(b"".join(blobs), dtype="<f8").reshape(-1, len(names))


def _in_order(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
