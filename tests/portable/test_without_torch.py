"""A stored integer program is loaded, scored, sampled and decoded where only a few packages can be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pointillist.model.portable
from pointillist.zoo import ZOO

NEEDED = ("numpy", "PIL", "safetensors", "pydantic", "filelock", "psutil")
"""What `docs/how-to/quantize.md` lists; the packages below come with them."""
WITH_THEM = ("pydantic_core", "annotated_types", "typing_extensions", "typing_inspection")
BEGIN = f"""
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

class Few(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        known = top in {(*NEEDED, *WITH_THEM, "pointillist")!r} or top in sys.stdlib_module_names or top.startswith("_")
        return super().find_spec(name, path, target) if known else None

sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Few]
"""


def run(program: str, folder: Path, *arguments: str) -> str:
    """Run a program in a process in which nothing but the needed packages can be imported."""
    found = subprocess.run(
        [sys.executable, "-c", BEGIN + program, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_program_is_loaded_scored_and_sampled(tmp_path: Path) -> None:
    """By class; the bits are those of this process."""
    out = run(
        "import numpy as np\n"
        "import pointillist.model.portable\n"
        f"integer_model = pointillist.model.portable.load({str(ZOO / 'digits')!r})\n"
        f"levels = pointillist.sample({str(ZOO / 'digits')!r}, 2, [3, None], seed=0).levels\n"
        "np.save('levels.npy', levels)\n"
        "print(integer_model.fingerprint, repr(float(integer_model.log_prob(levels).sum())))\n",
        tmp_path,
    )
    integer_model = pointillist.model.portable.load(ZOO / "digits")
    due = pointillist.sample(ZOO / "digits", 2, [3, None], seed=0).levels
    levels = np.load(tmp_path / "levels.npy")
    assert np.array_equal(levels, due)
    assert out.split() == [integer_model.fingerprint, repr(float(integer_model.log_prob(levels).sum()))]


def test_an_archive_is_decoded(tmp_path: Path) -> None:
    """Compressed here, decompressed there."""
    from pointillist.compression import compress

    levels = pointillist.sample(ZOO / "digits", 2, seed=0).levels
    (tmp_path / "a.pxl").write_bytes(compress("digits", levels))
    run(
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from pointillist.compression import decompress\n"
        "np.save('levels.npy', np.stack([np.asarray(x) for x in decompress(Path('a.pxl').read_bytes())]))\n",
        tmp_path,
    )
    assert np.array_equal(np.load(tmp_path / "levels.npy").reshape(levels.shape), levels)


@pytest.mark.parametrize("package", ["torch", "scipy"])
def test_the_guard_can_fail(package: str, tmp_path: Path) -> None:
    """Another package cannot be imported in these processes."""
    with pytest.raises(AssertionError, match=f"No module named '{package}'"):
        run(f"import {package}", tmp_path)
