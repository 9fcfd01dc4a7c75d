"""Make golden integer models: `python -m tests.portable.golden.make NAME ...`, once for each version of the format.

What a stored program computes must never change, or archives that were coded with it could not be decoded. Another
arithmetic is another version of the format, with golden models of its own; these stay. A new one is a case of
`tests/portable/networks.py`; what is already there was a case when it was made.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.model.portable import ProgramModel, load, save
from tests.integer_draws import draw_integers, intervals_of
from tests.portable.networks import integer_case

HERE = Path(__file__).parent
EXPECTED = "expected.json"
MODELS: tuple[str, ...] = tuple(json.loads((HERE / EXPECTED).read_text(encoding="utf-8")))
"""Names of the models, of every opcode, head and curve.

Local gains are of version 2, two factors and tokens of 3, mixtures of many levels of 5.
"""


def facts(integer_model: ProgramModel) -> dict[str, Any]:
    """Return what must stay: the fingerprint, draws, and the hash of the intervals of random images, in each order."""
    rng = np.random.default_rng(7)
    shape = (2, integer_model.image.channels, integer_model.image.height, integer_model.image.width)
    x, uniforms = rng.integers(0, integer_model.image.levels, shape), rng.integers(0, 2**53, shape) / 2.0**53
    found: dict[str, Any] = {"fingerprint": integer_model.fingerprint, "orders": {}}
    for name in integer_model.orders:
        order = integer_model.order(name)
        coded = np.stack(intervals_of(integer_model, x, None, order)).astype("<i8").tobytes()
        drawn, _ = draw_integers(integer_model, uniforms, 1 if integer_model.classes else None, name)
        found["orders"][name] = {
            "intervals": hashlib.sha256(coded).hexdigest(),
            "draws": " ".join(map(str, drawn.reshape(-1).tolist())),
        }
    return found


def main(names: list[str]) -> None:
    """Write models that are not there yet, and what is expected of them; the others stay."""
    expected = json.loads((HERE / EXPECTED).read_text(encoding="utf-8"))
    for name in names:
        if name in expected:
            raise SystemExit(f"{name} is there already, and must stay as it is: name a new case.")
        (HERE / name).mkdir()
        save(integer_case(name)[1], HERE / name)
        expected[name] = facts(load(HERE / name))
    (HERE / EXPECTED).write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
