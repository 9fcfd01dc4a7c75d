"""The library in C: built from its source to the byte, in WebAssembly, and under sanitizers with damaged programs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointillist.engine.batch import SampleBatch
from pointillist.engine.c import run as c_run
from pointillist.engine.c.blob import ConstantPool, pack
from pointillist.engine.c.lower import lower
from pointillist.engine.c.run import intervals_in_c, sample_in_c
from pointillist.engine.library import FOLDER, WEBASSEMBLY, library_name
from tests.hostile import fuzz_runtime
from tests.portable.networks import integer_case
from tests.scripts import script

RUNTIME = Path(__file__).parents[2] / "runtime"
needs_compiler = pytest.mark.skipif(find_spec("ziglang") is None, reason="needs the extra `runtime`")


@pytest.mark.slow
@pytest.mark.proof
@needs_compiler
def test_the_library_is_what_its_source_gives() -> None:
    """To the byte, for this platform and for pages."""
    target = library_name().removeprefix("pointillist-").partition(".")[0]
    assert script("make_runtime").main([target, "webassembly", "--check"]) == 0


def test_every_platform_has_a_library() -> None:
    """The targets of the build are the files of the package, under the names by which they are loaded."""
    build = script("make_runtime")
    names = {build.file_name(target) for target in build.TARGETS}
    assert {path.name for path in FOLDER.iterdir()} == names
    machines = [("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64"), ("win32", "AMD64")]
    assert {library_name("linux", "x86_64"), *(library_name(*one) for one in machines), WEBASSEMBLY.name} == names
    assert max(path.stat().st_size for path in FOLDER.iterdir()) <= 2**18


def test_every_reading_has_the_table_of_opcodes() -> None:
    """In C, in JavaScript and on the page of the format."""
    build = script("make_opcodes")
    for path, text in ((build.HEADER, build.header()), (build.SCRIPT, build.script()), (build.PAGE, build.page())):
        assert path.read_text(encoding="utf-8") == text, "run python tools/make_opcodes.py"


@pytest.mark.slow
@pytest.mark.proof
@needs_compiler
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_webassembly_draws_the_same_levels(tmp_path: Path) -> None:
    """In Node, by plain C and by vectors of 128 bits."""
    library = tmp_path / "pointillist.wasm"
    options = ["-target", "wasm32-freestanding", "-msimd128", "-O3", "-std=c11", "-nostdlib", "-DPT_LIBRARY"]
    links = ["-Wl,--no-entry", "-Wl,--export-dynamic", "-fno-sanitize=all", "-o", str(library), "pointillist.c"]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *options, *links], cwd=RUNTIME, check=True)
    for name in ("gated-binary", "pixelcnn-pp-rgb", "pixelsnail", "row-lstm"):
        _, integer_model, x = integer_case(name)
        (program,), shape = integer_model.programs, tuple(x.shape)
        path = tmp_path / f"{name}.bin"
        path.write_bytes(lower(program).tobytes())
        uniforms = (np.arange(x.numel()) * 611953 % 1000003 / 1000003).reshape(shape)
        batch = SampleBatch(np.zeros(shape, np.int64), np.zeros(shape, bool), uniforms, np.zeros(len(x)))
        batch.sizes = np.zeros(shape, np.int64)
        sample_in_c(program, {}, batch)
        due = hashlib.sha256(batch.levels.tobytes()).hexdigest()
        for level in (0, 5):
            numbers = map(str, (shape[0], *shape[2:], shape[1], level))
            command = ["node", str(Path(__file__).with_name("draw_in_wasm.mjs")), str(library), str(path), *numbers]
            found = subprocess.run(command, capture_output=True, text=True, check=True)
            assert found.stdout.strip() == due


@pytest.mark.slow
@pytest.mark.skipif(fuzz_runtime.compiler() is None, reason="needs a C compiler")
def test_damaged_programs_are_rejected_or_run() -> None:
    """No sanitizer finds anything, and all kernels give the same levels; more cases by `fuzz_runtime`."""
    result = fuzz_runtime.run(cases=1000, seed=1)
    assert result.returncode == 0, result.stdout + result.stderr


def test_weights_are_packed_as_a_product_reads_them() -> None:
    """Groups of four inputs, of the columns of a panel side by side; pieces and columns are padded with zeros."""
    matrix = np.arange(1, 6 * 70 + 1).reshape(6, 70) % 127
    packed, pieces = pack(matrix.astype(np.int8), [5, 1]), ((0, 5), (5, 1))
    assert packed.size == 3 * 4 * 80
    panels = [packed[: 3 * 4 * 64].reshape(3, 64, 4), packed[3 * 4 * 64 :].reshape(3, 16, 4)]
    whole = np.concatenate(panels, axis=1).transpose(0, 2, 1).reshape(12, 80)
    assert np.array_equal(whole[:5, :70], matrix[:5])
    assert np.array_equal(whole[8, :70], matrix[5])
    assert np.count_nonzero(whole) == np.count_nonzero(matrix)
    assert sum(count for _, count in pieces) == len(matrix)


def test_a_constant_is_stored_once() -> None:
    """The same array has the same number; each begins at a multiple of 64 bytes."""
    pool, first = ConstantPool(), np.arange(3, dtype=np.int32)
    assert [pool.add(first), pool.add(np.arange(3, dtype=np.int32)), pool.add(first)] == [0, 1, 0]
    table, parts = pool.write(10)
    assert table == [2, 64, 3, 0, 2, 128, 3, 0]
    assert [start for start, _ in parts] == [64, 128]


def test_scores_in_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _, integer_model, x = integer_case("gated-binary")
    (program,), levels = integer_model.programs, np.tile(x.numpy(), (3, 1, 1, 1))
    due = intervals_in_c(program, levels, {})
    monkeypatch.setattr(c_run, "_SCORED_AT_ONCE", levels[0].size)
    for part, whole in zip(intervals_in_c(program, levels, {}, threads=2), due, strict=True):
        assert np.array_equal(part, whole)


def test_an_interrupt_does_not_wait_for_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts that have not begun are left out."""
    _, integer_model, x = integer_case("gated-binary")
    (program,), levels = integer_model.programs, np.tile(x.numpy()[:1], (60, 1, 1, 1))
    begun: list[int] = []

    def run(*arguments: Any, **keywords: Any) -> None:
        begun.append(len(begun))
        if len(begun) == 1:
            raise KeyboardInterrupt
        time.sleep(0.02)
        raise ValueError("another part")

    monkeypatch.setattr(c_run, "_SCORED_AT_ONCE", levels[0].size)
    monkeypatch.setattr(c_run, "Run", run)
    with pytest.raises(KeyboardInterrupt):
        intervals_in_c(program, levels, {})
    assert len(begun) < len(levels) / 2
