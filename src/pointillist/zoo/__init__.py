"""Models that come with the package: a folder each, `model.safetensors`, `config.json` and a model card.

`tools/make_zoo.py` makes such a folder of a finished run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointillist.checkpoint.files import CARD, CONFIG, WEIGHTS, read_config

ZOO = Path(__file__).parent


@dataclass(frozen=True)
class BundledModel:
    """A model that comes with the package.

    ```python
    pt.list_pretrained()[0].name
    ```

    Attributes:
        name: for `load` and every command.
        summary: what it paints, the title of its card.
        model: the kind of network.
        bytes: of its weights.
        folder: where it is.
    """

    name: str
    summary: str
    model: str
    bytes: int
    folder: Path


def list_pretrained() -> list[BundledModel]:
    """Every model that comes with the package, by name.

    ```python
    [model.name for model in pt.list_pretrained()]
    ```
    """
    return [_described(path.parent) for path in sorted(ZOO.glob(f"*/{WEIGHTS}"))]


def resolve(source: str) -> Path | None:
    """The folder of a model: one on this machine before one of the package; None if `source` is neither.

    A folder that has the name of a shipped model but holds no model, such as its data, does not hide it.
    """
    path, ours = Path(source), ZOO / source
    names = {entry.parent.name for entry in ZOO.glob(f"*/{WEIGHTS}")}
    is_model = (path / CONFIG).exists() or (path / WEIGHTS).exists()
    if source in names and not is_model:
        return ours
    return path if path.exists() else None


def _described(folder: Path) -> BundledModel:
    card = (folder / CARD).read_text(encoding="utf-8")
    title = next((line[2:] for line in card.splitlines() if line.startswith("# ")), folder.name)
    summary = title.removeprefix(f"{folder.name}: ")
    return BundledModel(
        folder.name, summary, str(read_config(folder)["model_type"]), (folder / WEIGHTS).stat().st_size, folder
    )
