"""No script needs an engine that takes many arguments: of 65,536 levels or pixels, old ones do not."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointillist.distributions.transform import Transform
from pointillist.engine.head.transform import transform_frequencies
from pointillist.studio.export.page import script_text

RUNTIME = Path(__file__).parents[2] / "runtime"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run scripts")

FEW = """
for (const [owner, name] of [[Math, "max"], [Math, "min"], [String, "fromCharCode"]]) {
  const real = owner[name];
  owner[name] = (...all) => {
    if (all.length > 32_768) throw new RangeError(`${name} takes no ${all.length} arguments`);
    return real(...all);
  };
}
"""
"""An engine that takes few."""
LARGE = """
const width = 300, count = width * width, levels = new Uint8Array(count), known = new Uint8Array(count).fill(1);
levels.fill(1, 0, 5000);
"""
COPIED = """
const { copy, MoveStroke } = modules["drawing/selecting.js"], selection = new Uint8Array(count).fill(1, 2 * width + 7);
const canvas = { details: { image: { channels: 1 } }, height: width, width, levels, known, trace: null };
const { places } = copy(canvas, selection), { corner } = new MoveStroke(canvas, selection, 0);
console.log(JSON.stringify([places[0], places.length, corner]));
"""
ANIMATED = """
const { gif } = modules["transport/picture_files.js"], { encodeArray } = modules["transport/encoded_arrays.js"];
const kind = { mode: "grey", channels: 1, levels: 2, height: width, width, palette: null, ordered: true };
const animation = gif(kind, encodeArray(levels, [1, width, width]), [...known.keys()], { frames: 2 });
console.log(JSON.stringify([...new Uint8Array(await animation.arrayBuffer())]));
"""


def in_node(code: str, tmp_path: Path) -> Any:
    """What a script prints, as JSON."""
    script = tmp_path / "script.mjs"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "transform", [Transform(temperature=0.8, top_p=0.9), Transform(guidance=2.0)], ids=["hot", "guided"]
)
def test_all_levels_of_16_bits_are_transformed(transform: Transform, tmp_path: Path) -> None:
    """To the bit as in Python, by an engine that takes few arguments."""
    weights = np.random.default_rng(0).integers(1, 20, (2, 65_536))
    weights[:, -1] += (1 << 24) - weights.sum(1)
    (expected,) = transform_frequencies(weights[: 1 + transform.is_guided], transform)
    numbers = [row.tolist() for row in weights]
    code = f"""{FEW}
const {{ transform }} = await import({json.dumps((RUNTIME / "pointillist.js").as_uri())});
const [own, reference] = {json.dumps(numbers)}.map((row) => Float64Array.from(row));
const guided = {json.dumps(transform.is_guided)} ? reference : null;
const all = transform(own, guided, {transform.guidance}, {transform.temperature}, {transform.top_p});
console.log(JSON.stringify([...all]));"""
    np.testing.assert_array_equal(in_node(code, tmp_path), expected)


def test_all_pixels_of_a_large_image_are_selected_and_written(tmp_path: Path) -> None:
    """Copied, moved, and shown by an animation, of which the first frame has all pixels."""
    copied = in_node(FEW + script_text("drawing/selecting.js") + LARGE + COPIED, tmp_path)
    assert copied == [[0, 7], 300 * 300 - 607, [2, 0]]
    animated = in_node(FEW + script_text("transport/picture_files.js") + LARGE + ANIMATED, tmp_path)
    with Image.open(io.BytesIO(bytes(animated))) as shown:
        assert (shown.size, shown.n_frames) == ((300, 300), 2)


def test_no_script_of_the_runtime_spreads_numbers_into_arguments() -> None:
    """`largest` of `arithmetic.js` is a loop."""
    for path in RUNTIME.glob("*.js"):
        assert not re.search(r"Math\.(max|min)\(\.\.\.", path.read_text(encoding="utf-8")), path.name
