"""The pretrained models that come with the package: a folder each with weights, `config.json` and a model card.

`tools/make_zoo.py` makes such a folder from a finished run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pointillist.files.arrays import CARD, CONFIG, WEIGHTS, read_config

ZOO = Path(__file__).parent


@dataclass(frozen=True)
class BundledModel:
    """A pretrained model that comes with the package.

    ```python
    pt.list_pretrained()[0].name
    ```

    Attributes:
        name: name for `load` and every command.
        summary: title of its model card.
        model: model type.
        bytes: size of its weights.
        folder: its folder.
    """

    name: str
    summary: str
    model: str
    bytes: int
    folder: Path


def list_pretrained() -> list[BundledModel]:
    """List the pretrained models of the package by name.

    ```python
    [model.name for model in pt.list_pretrained()]
    ```
    """
    return [_described(path.parent) for path in sorted(ZOO.glob(f"*/{WEIGHTS}"))]


def resolve(source: str) -> Path | None:
    """Return the folder of a model: a local folder, else the folder of a pretrained model; None if `source` is neither.

    A folder with the name of a pretrained model that holds no model, such as its data, does not take precedence.
    """
    if not source.strip():
        return None
    path, ours = Path(source), ZOO / source
    is_model = os.path.exists(path / CONFIG) or os.path.exists(path / WEIGHTS)  # False for a name that is too long
    if path.name == source and os.path.exists(ours / WEIGHTS) and not is_model:
        return ours
    return path if os.path.exists(path) else None


def _described(folder: Path) -> BundledModel:
    card = (folder / CARD).read_text(encoding="utf-8")
    title = next((line[2:] for line in card.splitlines() if line.startswith("# ")), folder.name)
    summary = title.removeprefix(f"{folder.name}: ")
    return BundledModel(
        folder.name, summary, str(read_config(folder)["model_type"]), (folder / WEIGHTS).stat().st_size, folder
    )
