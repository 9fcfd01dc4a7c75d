"""The packages for JavaScript: installed in an empty project, they give the levels and the sentences of Python."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.compression.models import as_integer_model
from pointillist.model.vocabulary import read_prompt
from tests.model.test_prompt_names import notes_of
from tests.runtime.test_exports import NODE, RULES
from tests.scripts import script
from tests.tolerances import DOUBLE

FILES = Path(__file__).parent / "npm"
pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not here: install it to run packages for JavaScript.")


def project(folder: Path, *models: str) -> Path:
    """A project with `pointillist` and models, as npm unpacks them."""
    npm = script("make_npm")
    npm.write(folder / "node_modules" / "pointillist", npm.runtime_package())
    for name in models:
        npm.write(folder / "node_modules" / "@pointillist" / name, npm.model_package(name))
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    return folder


def answers(folder: Path, *jobs: Any) -> list[Any]:
    """Run jobs of `npm/jobs.mjs` in Node."""
    command, text = [str(NODE), "node.mjs"], json.dumps(jobs)
    done = subprocess.run(command, input=text, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    result: list[Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with digits."""
    return project(tmp_path_factory.mktemp("digits"), "digits")


def test_pictures_are_those_of_python(digits: Path) -> None:
    """Several labels, one call after the other or at once, a file of a picture, progress, a stop, completions."""
    expected = pt.sample("digits", 3, label=["3", "5", "8"], seed=7)
    one, two = (pt.sample("digits", 1, seed=seed) for seed in (7, 2**40 + 1))
    image, known = expected.levels[0], np.arange(784).reshape(28, 28) < 392
    filled = pt.inpaint("digits", image, known, n=3, seed=1, label="3")
    drawn, named, progress, stopped, together, holes, nats, png, archive = answers(
        digits,
        ["sample", "digits", None, {"label": ["3", "5", "8"], "seed": 7}],
        ["byName", "digits"],
        ["progress", "digits", {"label": ["3", "5"], "seed": 7}],
        ["stopped", "digits"],
        ["together", "digits", [7, 2**40 + 1]],
        ["inpaint", "digits", image.ravel().tolist(), known.ravel().tolist(), 3, {"seed": 1, "label": "3"}],
        ["logProb", "digits", image.ravel().tolist(), {"label": "3"}],
        ["png", "digits", {"label": "3", "seed": 7}],
        ["decompress", "digits", base64.b64encode(pt.compress("digits", expected.levels[:1])).decode()],
    )
    assert (drawn["levels"], drawn["shape"]) == (expected.levels.ravel().tolist(), [3, 1, 28, 28])
    assert named["levels"] == one.levels.ravel().tolist()
    assert progress["shares"] == sorted(progress["shares"])
    assert (progress["shares"][-1], progress["levels"][784:]) == (2, progress["last"])
    assert "timeout" in stopped
    assert together == [one.levels.ravel().tolist(), two.levels.ravel().tolist()]
    assert holes["levels"] == filled.levels.ravel().tolist()
    np.testing.assert_allclose(holes["nats"], filled.nats, rtol=DOUBLE)
    assert sum(nats) == pytest.approx(expected.nats[0], rel=DOUBLE)
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(png))).convert("L"))
    np.testing.assert_array_equal(picture, np.array(expected.images[0].convert("L")))
    assert [each["levels"] for each in archive] == [image.ravel().tolist()]


def test_errors_are_sentences(digits: Path) -> None:
    """No name passes unread, no wrong value is called a damaged file, and no damaged file is opened."""
    cases = json.loads((FILES / "errors.json").read_text())
    for (_, sentence), answer in zip(cases, answers(digits, *(job for job, _ in cases)), strict=True):
        assert sentence in answer


@pytest.mark.one_in(2)
def test_prompts_hints_worlds_and_arrays_are_those_of_python(tmp_path: Path) -> None:
    """Prompts of a frozen encoder with their notes, learned words, an outline, maps and worlds by rules, an array."""
    folder = project(tmp_path, "icons", "outline-to-tile", "dungeons", "photos-grey")
    outline, world = pt.load("outline-to-tile"), pt.World("dungeons", 2**33 + 5, RULES)
    hint = np.zeros((1, outline.image.height, outline.image.width), np.int64)
    hint[0, 6:26, [8, 24]] = hint[0, [6, 25], 8:24] = 1
    label, prompts, chunks = outline.classes[1], ["shopping cart", "arrow"], [[0, 0], [-3, 5], [-2, 5]]
    scan = 50 * np.random.default_rng(0).integers(20, 90, (24, 20)).astype(np.int16) - 2000
    archive = pytest.importorskip("pointillist.compression.arrays.zarr_codec").encode_array(
        scan, as_integer_model("photos-grey")
    )
    icons, tile, read, chunked, rows, values = answers(
        folder,
        ["sample", "icons", None, {"seed": 7, "label": "tabler", "text": prompts}],
        [
            "sample",
            "outline-to-tile",
            1,
            {"seed": 7, "label": label, "text": "red dragon", "hint": hint.ravel().tolist()},
        ],
        ["readPrompt", "outline-to-tile", "a redd dragon"],
        ["world", "dungeons", 2**33 + 5, {"rules": RULES}, chunks],
        ["sample", "dungeons", 1, {"seed": 3, "size": [20, 24], "rules": {"border": ["outside", "wall"]}}],
        ["decompress", "photos-grey", base64.b64encode(archive).decode()],
    )
    assert icons["levels"] == pt.sample("icons", 2, seed=7, label="tabler", text=prompts).levels.ravel().tolist()
    assert icons["notes"] == [f"{note.partition(': of the names')[0]}." for note in notes_of(pt.load("icons"), prompts)]
    drawn = pt.sample(outline, 1, seed=7, label=label, text="red dragon", hint=hint)
    assert tile["levels"] == drawn.levels.ravel().tolist()
    assert read["text"] == read_prompt(outline, "a redd dragon").text
    assert chunked == [world.chunk(x, y).ravel().tolist() for x, y in chunks]
    walled = pt.sample("dungeons", 1, seed=3, size=(20, 24), rules={"border": ["outside", "wall"]})
    assert rows["levels"] == walled.levels.ravel().tolist()
    assert (values[0]["values"], values[0]["dtype"]) == (scan.ravel().tolist(), "<i2")


@pytest.mark.slow
@pytest.mark.proof
def test_tarballs_are_small_and_installed_by_npm(tmp_path: Path) -> None:
    """`npm pack`, and an installation in an empty project; zarrita reads an array; a cut tarball installs nothing."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here: it packs and installs the packages.")
    packages = script("make_npm")
    tarballs = packages.make(tmp_path / "dist", ["digits", "photos"])
    sizes = [path.stat().st_size for path in tarballs]
    assert (sizes[0] < 200_000, sizes[1] < 1_000_000) == (True, True)
    install = [npm, "install", "--no-audit", "--no-fund", "--silent"]
    (tmp_path / "package.json").write_text('{"name": "empty", "private": true, "type": "module"}')
    subprocess.run([*install, "--offline", *tarballs], cwd=tmp_path, check=True)
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)
    (drawn,) = answers(tmp_path, ["byName", "digits"])
    assert drawn["levels"] == pt.sample("digits", 1, seed=7).levels.ravel().tolist()
    tarballs[1].write_bytes(tarballs[1].read_bytes()[:300_000])
    other = [*install, "--offline", f"--prefix={tmp_path / 'other'}", tarballs[1]]
    assert subprocess.run(other, capture_output=True, check=False).returncode
    assert not (tmp_path / "other" / "node_modules" / "@pointillist").exists()
    if subprocess.run([*install, "zarrita@0.7"], cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("The registry of npm does not answer: zarrita comes from it.")
    zarr = pytest.importorskip("zarr")
    from pointillist.compression.arrays.zarr_codec import Pointillist

    scans = np.random.default_rng(0).integers(100, 130, (2, 40, 40, 3), np.uint8)
    codec: dict[str, Any] = {"chunks": (1, 32, 32, 3), "compressors": Pointillist("photos")}
    zarr.create_array(str(tmp_path / "scans"), data=scans, **codec)
    done = subprocess.run([str(NODE), "zarr.mjs"], cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout) == [list(scans.shape), scans.ravel().tolist()]
