"""Golden images: the levels that every bundled model draws from fixed uniforms in integers, as hashes.

    python -m tests.golden_images

writes `tests/golden_images.json` again, for a bundled model that was trained or quantized anew: nothing else may change
a level. The stored hashes were computed at commit 587fdd52, before the engines were rearranged; those of prompts again
when their encoders computed in integers (decision 0057).

The vectors of the frozen sentence encoder become integers by floating point, which another processor may round to other
integers. So the file holds those integers, and of hints too, and the hashes are of what is drawn under them. Hashes of
engines in floating point are not stored, because they belong to one processor.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.distributions.transform import Transform
from pointillist.model.portable import ProgramModel, load
from pointillist.zoo import list_pretrained
from tests.integer_draws import draw_encoded, encoded, intervals_of

PATH = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Case:
    """Images of a bundled model: its name, conditions, settings of sampling, and size where the model allows any."""

    model: str
    label: tuple[int, ...] | None = None
    text: tuple[str, ...] | None = None
    outline: bool = False
    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    order: str | None = None
    size: tuple[int, int] | None = None
    count: int = 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, channels, height and width."""
        model = integer_model(self.model)
        return (self.count, model.image.channels, *(self.size or (model.image.height, model.image.width)))

    @property
    def guided(self) -> bool:
        """True under guidance, where each pixel has two distributions."""
        return self.guidance != 1.0

    @property
    def transformed(self) -> bool:
        """True where levels are not drawn from the distributions of the model."""
        return (self.guidance, self.temperature, self.top_p) != (1.0, 1.0, 1.0)

    @property
    def conditions(self) -> dict[str, Any]:
        """Keywords of `pt.sample` and of `ProgramModel.inputs`."""
        given = {"label": self.label, "text": self.text}
        conditions = {name: list(value) for name, value in given.items() if value is not None}
        return {**conditions, "hint": outline(self.shape[2], self.shape[3])} if self.outline else conditions

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of `pt.sample`."""
        return {"guidance": self.guidance, "temperature": self.temperature, "top_p": self.top_p, "order": self.order}

    @property
    def uniforms(self) -> np.ndarray:
        """One number in [0, 1) for each sub-pixel."""
        return np.random.default_rng(sum(map(ord, self.model))).integers(0, 2**53, self.shape) / 2.0**53


CASES = {
    "digits": Case("digits"),
    "digits-labels": Case("digits", label=(3, 8), count=2),
    "digits-guided": Case("digits", label=(5,), guidance=2.0, temperature=0.9, top_p=0.95),
    "dungeons": Case("dungeons"),
    "dungeons-narrow": Case("dungeons", size=(9, 7), count=3),
    "dungeons-guided": Case("dungeons", label=(0,), guidance=2.0, temperature=0.9),
    "icons": Case("icons"),
    "icons-text": Case("icons", text=("heart", "rocket"), label=(0, 2), count=2),
    "icons-guided": Case("icons", text=("umbrella",), guidance=3.0, temperature=0.8),
    "icons-styled": Case("icons", label=(94,), text=("bell",), guidance=3.0, temperature=0.8),
    "outline-to-tile": Case("outline-to-tile"),
    "outline-to-tile-hint": Case("outline-to-tile", text=("orb spider",), label=(2,), outline=True, order="raster-tr"),
    "outline-to-tile-guided": Case("outline-to-tile", label=(4,), text=("helmet",), guidance=1.5),
    "scenes-text": Case("scenes", text=("a cat on a red sofa",), label=(0,)),
    "scenes-guided": Case("scenes", text=("two birds on a blue car",), guidance=1.5, temperature=0.8),
    "photos": Case("photos", size=(16, 20), count=2),
    "photos-guided": Case("photos", size=(16, 20), label=(2,), guidance=1.5, temperature=0.8),
    "grey16": Case("grey16", size=(6, 8)),
    "photos-grey": Case("photos-grey", size=(16, 20), count=2),
}


@cache
def integer_model(name: str) -> ProgramModel:
    """Open the integer model of a bundled model."""
    return load(next(model.folder for model in list_pretrained() if model.name == name))


def outline(height: int, width: int) -> np.ndarray:
    """Draw a rectangle with a gap, as levels `[1, h, w]` of a hint."""
    image = np.zeros((1, height, width), np.int64)
    image[:, 1:-1, 1:-1] = 1
    image[:, 2:-2, 2:-2] = 0
    image[:, 1, width // 2] = 0
    return image


def condition_integers(case: Case) -> dict[str, np.ndarray]:
    """Return the conditions of the images as this processor turns them into integers."""
    model = integer_model(case.model)
    return encoded(model, case.count, case.shape[2:], model.order(case.order), **case.conditions)


def stored_integers(case: Case, entry: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the conditions of the images, where they were rounded as the processor of the stored hashes rounded."""
    stored = {kind: unpacked(array) for kind, array in entry["conditions"].items()}
    return {**condition_integers(case), **stored}


def draw(case: Case, inputs: dict[str, np.ndarray], executor: str) -> np.ndarray:
    """Draw the levels of a case from its uniforms, given the conditions of the images."""
    model = integer_model(case.model)
    order = model.order(case.order)
    if case.guided:
        given = model.conditions.inputs(case.label, case.count, case.text, size=case.shape[2:])
        reference = model.encode(given.guidance_reference(), case.count, case.shape[2:], order)
        inputs = {name: np.concatenate([array, reference[name]]) for name, array in inputs.items()}
    transform = Transform(case.guidance, case.temperature, case.top_p)
    return draw_encoded(model, case.uniforms, inputs, order, transform, executor=executor)[0]


def intervals(case: Case, inputs: dict[str, np.ndarray], levels: np.ndarray, executor: str) -> np.ndarray:
    """Compute where the interval of each level begins and how long it is, in one pass, `[2, n, c, h, w]`."""
    model = integer_model(case.model)
    return np.stack(intervals_of(model, levels, inputs, model.order(case.order), executor=executor))


def digest(array: np.ndarray) -> str:
    """Hash integers of any type."""
    return hashlib.sha256(np.ascontiguousarray(array).astype("<i4").tobytes()).hexdigest()


def packed(array: np.ndarray) -> dict[str, Any]:
    """Turn integers into JSON."""
    data = zlib.compress(array.astype("<i4").tobytes(), 9)
    return {"shape": list(array.shape), "zlib": base64.b64encode(data).decode("ascii")}


def unpacked(entry: dict[str, Any]) -> np.ndarray:
    """Turn what `packed` returned into integers."""
    data = np.frombuffer(zlib.decompress(base64.b64decode(entry["zlib"])), "<i4")
    return data.reshape(entry["shape"]).astype(np.int32)


def main() -> None:
    """Write `tests/golden_images.json`."""
    entries = {}
    for name, case in CASES.items():
        inputs = condition_integers(case)
        levels = draw(case, inputs, "compiled")
        rounded = {"vector": case.text, "map": case.outline}
        entries[name] = {
            "levels": digest(levels),
            "intervals": digest(intervals(case, inputs, levels, "compiled")),
            "conditions": {kind: packed(inputs[kind]) for kind, computed in rounded.items() if computed},
        }
        print(name, entries[name]["levels"])
    PATH.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
