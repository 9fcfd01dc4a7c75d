"""The data set inside the package: UCI handwritten digits, 8x8, 17 levels (`builtin/LICENSE-uci-digits.md`)."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from pointillist.data.raw import RawImages
from pointillist.data.splits import cut

TEST_IMAGES = 360


def uci_digits() -> RawImages:
    """1,797 digits in the order of the file; 360 of them, stratified by label with seed 0, are the test split."""
    with (files("pointillist.data") / "builtin" / "uci_digits.npz").open("rb") as file, np.load(file) as archive:
        values, labels = archive["x"][:, None], archive["y"].astype(np.int64)
    test = cut(labels, len(labels), TEST_IMAGES, seed=0)
    return RawImages(
        values=values,
        kind="integers",
        name="uci-digits",
        labels=labels,
        split=np.where(test, "test", "train"),
        classes=tuple("0123456789"),
        levels=17,
    )
