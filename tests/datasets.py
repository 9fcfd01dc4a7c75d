"""Data sets of arrays in memory, for tests that need neither files nor splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from pointillist.data import Annotations, DataOptions, ImageDataset
from pointillist.data.levels import build_dataset
from pointillist.data.readers.numpy_files import read_array
from pointillist.images import ImageSpec


def dataset_of(
    x: np.ndarray | Tensor,
    labels: Any = None,
    *,
    texts: Sequence[str] | None = None,
    classes: Sequence[str] = (),
    columns: Annotations | None = None,
    spec: ImageSpec | None = None,
    options: DataOptions | None = None,
) -> ImageDataset:
    """Images of integer arrays `n h w [c]` or tensors `n c h w`, read as `spec` or by `options`, in one piece."""
    options = options or DataOptions()
    is_tensor = isinstance(x, Tensor)
    raw = read_array(
        x.numpy(force=True) if is_tensor else x, labels, options=options, name="arrays", channels_first=is_tensor
    )
    raw = replace(raw, texts=None if texts is None else tuple(texts), classes=tuple(classes))
    data = build_dataset(raw, options, spec=spec)
    if columns is not None:
        columns.check(len(data), (data.spec.height, data.spec.width), data.name)
        data.annotations = columns
    return data
