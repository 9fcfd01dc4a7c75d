"""The work of a job: its items, and how they are computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from pointillist.data.options import DataOptions
    from pointillist.model.protocols import LikelihoodModel

Arrays = dict[str, "np.ndarray"]
"""Results of some items: arrays whose first axis counts them."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work of a job in one process: what the function `job` of a command returns for its settings.

    ```python
    Work(count=9, batch_size=4, compute=lambda start, stop: {"x": np.arange(start, stop)}, facts={})
    ```

    Attributes:
        count: number of items, which are numbered from 0.
        batch_size: items of a batch. Batches are fixed, so tasks and workers do not change a bit.
        compute: computes the items `start .. stop`, as one batch; if it fails, they are computed one by one.
        facts: what results depend on apart from the settings, and what merging needs; JSON, equal in every process.
        files: the file of each item, if any.
        skipped: why each file that could not be read was left out before the items were numbered, by name.
        item_bytes: memory that the results of an item take until its task is finished.
        needs_torch: False if torch takes no part in the results; it is then not loaded.
    """

    count: int
    batch_size: int
    compute: Callable[[int, int], Arrays]
    facts: Mapping[str, Any]
    files: Sequence[str] | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    item_bytes: int = 64
    needs_torch: bool = True


def model_facts(model: LikelihoodModel) -> dict[str, Any]:
    """Return the fingerprint, the kind of image and the classes of a model, for a manifest."""
    image = model.image.model_dump(mode="json")
    return {"fingerprint": model.fingerprint, "image": image, "classes": list(model.classes)}


def item_options(options: DataOptions, data: str, size: tuple[int, int]) -> DataOptions:
    """Let pictures that cannot be read, or have another size, be rejected by themselves."""
    options = options.changed(skip_bad=True)
    required = options.size is None and Path(data).is_dir()
    return options.changed(size=size, resize_mode="require") if required else options


def files_digest(files: Sequence[Path]) -> str:
    """Compute the SHA-256 of the content of files."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)};".encode() + content)
    return digest.hexdigest()
