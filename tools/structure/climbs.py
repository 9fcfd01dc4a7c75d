"""Climbs of a value through the package: how often it next appears in a higher layer of the import order.

    python tools/structure/climbs.py

Appearances are arguments of calls and results of returns, which the caller then has: the value, or a list, tuple or
dictionary that has it. Objects are not opened. The second call of a process is traced, which reads no file again.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from structure.source import Tree, unit_graph

PACKAGE = Path(__file__).parents[2] / "src" / "pointillist"
TEXT = "a cat sitting on a red sofa"


def layers(root: Path = PACKAGE) -> dict[str, int]:
    """Number the layer of each unit: those that import none have 0."""
    tree = Tree(root)
    graph = unit_graph({file: tree.imports(file) for file in tree.files})
    result: dict[str, int] = {}

    def layer(unit: str) -> int:
        if unit not in result:
            result[unit] = 0  # of a cycle
            result[unit] = max((layer(other) + 1 for other in graph.get(unit, ())), default=0)
        return result[unit]

    for unit in graph:
        layer(unit)
    return result


def climbs(call: Callable[[], object], is_value: Callable[[Any], bool]) -> tuple[int, int]:
    """Return the files in which a value appears in the second of two calls, and how often it climbs."""
    call()
    order, path = layers(), list[str]()

    def holds(each: Any, depth: int = 2) -> bool:
        if is_value(each):
            return True
        if depth and isinstance(each, Mapping):
            each = list(each.values())
        return bool(depth) and type(each) in (list, tuple) and any(holds(part, depth - 1) for part in each[:64])

    def appear(frame: FrameType | None) -> None:
        name = "" if frame is None else frame.f_code.co_filename
        if name.startswith(f"{PACKAGE}/") and "<" not in name:
            file = name.removeprefix(f"{PACKAGE}/")
            if not path or path[-1] != file:
                path.append(file)

    def trace(frame: FrameType, event: str, result: Any) -> None:
        if event == "call" and any(holds(each) for each in list(frame.f_locals.values())):
            appear(frame)
        elif event == "return" and holds(result):
            appear(frame.f_back)

    before = sys.getprofile()
    sys.setprofile(trace)
    try:
        call()
    finally:
        sys.setprofile(before)
    heights = [order[file.partition("/")[0]] for file in path]
    return len(set(path)), sum(later > earlier for earlier, later in pairwise(heights))


def measured() -> dict[str, tuple[int, int]]:
    """Measure a prompt of `sample`, images of `evaluate` and cells of `inpaint`."""
    import pointillist as pt

    images = pt.sample("digits", 4, seed=0).levels

    def is_prompt(value: Any) -> bool:
        return type(value) is str and value == TEXT

    def is_image(value: Any) -> bool:
        return isinstance(value, np.ndarray) and value.ndim in (3, 4) and value.size == images.size

    def is_grid(value: Any) -> bool:
        if not isinstance(value, np.ndarray) or value.dtype.kind != "i" or value.shape[-2:] != images.shape[2:]:
            return False
        first = value.reshape(-1, *value.shape[-2:])[0]
        return first[3, 5] == 1 and first[7, 2] == 0

    with tempfile.TemporaryDirectory() as folder:
        data, holes = Path(folder) / "d.npz", Path(folder) / "holes.csv"
        np.savez(data, x=(images[:, 0] * 17).astype(np.uint8))
        holes.write_text("row,column,value\n3,5,1\n7,2,0\n", encoding="utf-8")
        return {
            "prompt of `sample`": climbs(lambda: pt.sample("scenes", 1, text=TEXT, seed=0), is_prompt),
            "images of `evaluate`": climbs(lambda: pt.evaluate("digits", str(data)), is_image),
            "cells of `inpaint`": climbs(lambda: pt.inpaint("digits", holes, n=2, seed=0), is_grid),
        }


if __name__ == "__main__":
    for name, (files, number) in measured().items():
        print(f"{name:24} {files:3} files {number:3} climbs")
