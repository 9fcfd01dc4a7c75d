"""Verdicts on images as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pointillist.files.writing import atomic_path, open_table

_COLUMNS = ("file", "p_value", "score", "pred_label", "top_statistic", "row", "column", "masked_pixels")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a line for each image: the verdict, and its statistics in standard deviations of normal images.

    Args:
        rows: as `AnomalyRecord.to_dict` gives them, in the order in which they are written.
    """
    with atomic_path(path) as temporary, open_table(temporary) as file:
        names = list(rows[0]["statistics"])
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *names])
        for row in rows:
            row = {**row, "pred_label": int(row["pred_label"]), "row": row["location"][0], "column": row["location"][1]}
            numbers = [f"{row['statistics'][name]:.6g}" for name in names]
            writer.writerow([*(row[name] for name in _COLUMNS), *numbers])
