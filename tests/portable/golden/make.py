"""Make the golden integer models: `python -m tests.portable.golden.make`, once for each version of the format.

What a stored program computes must never change, or archives that were coded with it could not be decoded. Another
arithmetic is another version of the format, with golden models of its own; these stay.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.portable import IntegerModel, load, save

HERE = Path(__file__).parent
EXPECTED = "expected.json"
MODELS: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"shape": (3, 5, 6), "levels": 16, "classes": ("cat", "dog"), "orders": ("raster", "raster-tr")},
    "pixelcnn-pp": {"shape": (3, 4, 5), "levels": 256, "likelihood": "mixture", "layers": 1, "resolutions": 2},
    "pixelsnail": {"shape": (1, 4, 5), "levels": 8},
    "row-lstm": {"shape": (2, 4, 5), "levels": 2},
    "diagonal-bilstm": {"shape": (1, 5, 4), "levels": 8},
    "locally-masked-pixelcnn": {"shape": (1, 5, 6), "levels": 11, "ordered": False, "orders": ("s-curve", "raster")},
    "local-gain": {"network": "gated-pixelcnn", "shape": (3, 4, 5), "levels": 256, "local_gain": True},
    "local-gain-few": {"network": "gated-pixelcnn", "shape": (1, 6, 5), "levels": 16, "local_gain": True},
    "thousand": {
        "network": "gated-pixelcnn",
        "shape": (3, 4, 5),
        "levels": 1000,
        "local_gain": True,
        "mixtures": 3,
        "classes": ("cat", "dog"),
    },
    "sixteen-bits": {
        "network": "pixelcnn",
        "shape": (1, 4, 5),
        "levels": 65_536,
        "local_gain": True,
        "mixtures": 3,
    },
    "factored": {
        "network": "pixelcnn",
        "shape": (2, 4, 5),
        "levels": 300,
        "ordered": False,
        "likelihood": "factored",
        "mixtures": 3,
        "classes": ("cat", "dog"),
    },
    "tokens": {
        "network": "gated-pixelcnn",
        "shape": (1, 5, 4),
        "levels": 4,
        "conditions": {"text": {"encoder": "learned+tokens", "num_tokens": 3, "buckets": 16, "width": 8}},
    },
    "multiscale": {
        "network": "multiscale-pixelrnn",
        "shape": (1, 5, 6),
        "levels": 8,
        "classes": ("cat", "dog"),
        "map_channels": 6,
        "orders": ("raster", "raster-columns-br"),
    },
    "parallel": {
        "network": "parallel-multiscale",
        "shape": (2, 6, 5),
        "levels": 5,
        "ordered": False,
        "map_channels": 6,
        "position_channels": 2,
        "conditions": {"text": {"encoder": "learned+tokens", "num_tokens": 3, "buckets": 16, "width": 8}},
    },
}
"""Every opcode, head and curve.

Local gains are of version 2, two factors and tokens of 3, several stages of 4, mixtures of many levels of 5.
"""


def facts(integer_model: IntegerModel) -> dict[str, Any]:
    """Return what must stay: the fingerprint, draws, and the hash of the intervals of random images, in each order."""
    rng = np.random.default_rng(7)
    shape = (2, integer_model.channels, integer_model.height, integer_model.width)
    x, uniforms = rng.integers(0, integer_model.levels, shape), rng.integers(0, 2**53, shape) / 2.0**53
    found: dict[str, Any] = {"fingerprint": integer_model.fingerprint, "orders": {}}
    for name in integer_model.orders:
        order = integer_model.order(name)
        coded = np.stack(integer_model.intervals(x, None, order)).astype("<i8").tobytes()
        drawn, _ = integer_model.sample(uniforms, 1 if integer_model.classes else None, name)
        found["orders"][name] = {
            "intervals": hashlib.sha256(coded).hexdigest(),
            "draws": " ".join(map(str, drawn.reshape(-1).tolist())),
        }
    return found


def main() -> None:
    """Write the models that are not there yet, and what is expected of them; the others stay."""
    expected = json.loads((HERE / EXPECTED).read_text(encoding="utf-8"))
    for name, settings in MODELS.items():
        if name in expected:
            continue
        torch.manual_seed(0)
        options = {"channels": 6, "layers": 2, **settings}
        if settings.get("local_gain"):
            options["likelihood"] = "mixture"
        model = pt.build(options.pop("network", name), preset="tiny", **options).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5)
        (HERE / name).mkdir(exist_ok=True)
        save(pt.quantize_integer(model, torch.randint(0, settings["levels"], (3, *settings["shape"]))), HERE / name)
        expected[name] = facts(load(HERE / name))
    (HERE / EXPECTED).write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
