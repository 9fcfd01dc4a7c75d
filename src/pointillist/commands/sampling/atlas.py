"""Write a texture atlas: one PNG of exact pixels, and a JSON file with the position of each image."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pointillist.commands.sampling.archive import as_files
from pointillist.files.writing import write_text
from pointillist.visualization import save_png

if TYPE_CHECKING:
    from pointillist.sampling.samples import Samples


def write_atlas(out: Path, parts: Iterable[Samples], classes: Sequence[str], columns: int | None) -> None:
    """Write `NAME.png` and `NAME.json`, in the JSON (hash) layout of texture packers: a frame for each image.

    A palette model's sheet is an indexed PNG with its palette; no pixel is scaled, no caption drawn.
    """
    pictures: list[Image.Image] = []
    conditions: list[dict[str, Any]] = []
    for part in parts:
        pictures += as_files(part)
        for label, text in zip(part.labels.tolist(), part.texts or ("",) * len(part), strict=True):
            conditions.append({**({"label": classes[label]} if label >= 0 else {}), **({"text": text} if text else {})})
    width, height = pictures[0].size
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    sheet = Image.new(pictures[0].mode, (columns * width, rows * height))
    if pictures[0].mode == "P":
        sheet.putpalette(pictures[0].getpalette() or [])
        sheet.info.update(pictures[0].info)
    frames = {}
    for i, (picture, about) in enumerate(zip(pictures, conditions, strict=True)):
        x, y = i % columns * width, i // columns * height
        sheet.paste(picture, (x, y))
        size = {"w": width, "h": height}
        frames[f"{i:05d}"] = {
            "frame": {"x": x, "y": y, **size},
            "rotated": False,
            "trimmed": False,
            "spriteSourceSize": {"x": 0, "y": 0, **size},
            "sourceSize": size,
            **about,
        }
    save_png(sheet, out)
    meta = {"image": out.name, "size": {"w": sheet.width, "h": sheet.height}, "scale": "1", "app": "pointillist"}
    write_text(
        out.with_suffix(".json"), json.dumps({"frames": frames, "meta": meta}, indent=1, ensure_ascii=False) + "\n"
    )
