"""A table of likelihoods: one line an image."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from pointillist.evaluation.likelihood import Evaluation
from pointillist.files.writing import atomic_path, open_table


def write_csv(path: Path, result: Evaluation, files: Sequence[str] | None) -> None:
    """Write nats and bits per dimension of each image, and its file, in the order of the data set."""
    with atomic_path(path) as temporary, open_table(temporary) as file:
        writer = csv.writer(file)
        writer.writerow(["index", *(["file"] if files else []), "nats", "bits_per_dim"])
        for index, nats in enumerate(result.nats_per_image.tolist()):
            name = [files[index]] if files else []
            writer.writerow([index, *name, f"{nats:.6f}", f"{nats / (result.dims * math.log(2)):.6f}"])
