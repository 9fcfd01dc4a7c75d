"""Build the release and try it as a user gets it: `python tools/make_release.py`, or `make release`.

The sdist and the wheel are built and checked by twine, their contents are listed with their sizes, and the wheel is
installed with its dependencies into new environments, by uv. There the integer programs must run by the library in C
that is part of the wheel, the examples of the tour run in an empty folder, and the smoke tests run from another
folder.

    python tools/make_release.py                              # on each of Python 3.11 to 3.14 that uv finds, the newest
    python tools/make_release.py --python 3.11 --oldest       # the oldest dependencies that `pyproject.toml` allows
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
LIMIT = 15_000_000
"""Bytes of a wheel above which the bundled models belong in a package of their own."""
UV = (sys.executable, "-m", "uv")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SMOKE = (
    "distributions/test_likelihoods",
    "networks/test_networks",
    "model/test_pixel_model",
    "sampling/test_sampling",
    "model/test_factory",
)
LIBRARIES = ("linux-x86_64.so", "linux-aarch64.so", "macos-x86_64.dylib", "macos-aarch64.dylib", "windows-x86_64.dll")
NEEDED = (
    *(f"pointillist/engine/c/lib/pointillist-{library}" for library in LIBRARIES),
    *("pointillist/py.typed", "pointillist/studio/page/index.html", "pointillist/data/builtin/uci_digits.npz"),
    "sboms/pointillist.cdx.json",
    *("licenses/LICENSE", "licenses/src/pointillist/data/builtin/LICENSE-uci-digits.md"),
)
LIBRARY = """
import pathlib, sys
from importlib.metadata import version
import pointillist as pt
from pointillist.engine.library import available_levels
assert available_levels(), "the library in C is missing"
samples = pt.sample("digits", 1, label=3, seed=0)
assert samples.engine == "integer", samples.engine
names = ("torch", "numpy", "Pillow")
print("Python", sys.version.split()[0], *(f"{name} {version(name)}" for name in names))
print("installed in", pathlib.Path(pt.__file__).parent.name, "version", pt.__version__, "kernels", *available_levels())
"""


def run(command: Sequence[str | Path], folder: Path = ROOT, **environment: str) -> str:
    """Run a command, and end with its output where it fails."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command], cwd=folder, env={**clean, **environment}, capture_output=True, text=True
    )
    if result.returncode:
        sys.exit(f"{command[0]} failed:\n{(result.stdout + result.stderr)[-3000:]}")
    return result.stdout


def build() -> Path:
    """Build sdist and wheel, check them by twine, and return the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run([sys.executable, "-m", "build", "--installer", "uv", "--outdir", DIST, ROOT])
    print(run([sys.executable, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir())]).strip())
    return next(DIST.glob("*.whl"))


def contents(wheel: Path) -> list[str]:
    """Check that a wheel is complete, and return the lines of its table, by package, largest first.

    Raises:
        SystemExit: if a file is missing, or the wheel is larger than `LIMIT`.
    """
    with zipfile.ZipFile(wheel) as archive:
        files = archive.infolist()
    missing = [name for name in NEEDED if not any(file.filename.endswith(name) for file in files)]
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}.")
    sizes: Counter[str] = Counter()
    for file in files:
        parts = file.filename.split("/")
        sizes["/".join(parts[1 : 3 if parts[1] == "zoo" else 2]) if len(parts) > 2 else parts[-1]] += file.compress_size
    total = wheel.stat().st_size
    if total > LIMIT:
        sys.exit(f"{wheel.name} has {total:,} bytes, over {LIMIT:,}: put the models into a package of their own.")
    rows = [f"{size:>11,}  {name}" for name, size in sizes.most_common(12)]
    return [f"{total:>11,}  {wheel.name}, {len(files):,} files, of which (compressed)", *rows]


def examples() -> list[str]:
    """Return the commands of the tour that are typed in an empty folder."""
    page = ROOT / "docs" / "tutorial" / "tour.md"
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [re.sub(r"\s{2,}#.*", "", line).strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("pointillist ")]


def pythons() -> list[str]:
    """Return the interpreters of `PYTHONS` that uv finds here."""
    paths = [subprocess.run([*UV, "python", "find", name], capture_output=True, text=True) for name in PYTHONS]
    return [path.stdout.strip() for path in paths if path.returncode == 0]


def install(wheel: Path, folder: Path, python: str, *, oldest: bool) -> Path:
    """Install a wheel with its dependencies and what the tests need, and return the folder of the commands."""
    if not folder.exists():
        run([*UV, "venv", "--quiet", "--python", python, folder])
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = [name for name in extras["dev"] if name.startswith(("pytest>", "hypothesis", "scipy", "mpmath"))]
    if oldest:  # dependencies are named, as those of a wheel are not direct ones
        names += ["--resolution", "lowest-direct", *project["dependencies"], *extras["train"], *extras["anomaly"]]
    requirement = f"pointillist[train,anomaly] @ {wheel.resolve().as_uri()}"  # examples of the tour need these
    pip = [*UV, "pip", "install", "--quiet", "--no-build", "--reinstall-package", "pointillist"]
    run([*pip, "--python", commands / "python", requirement, *names])
    return commands


def try_out(commands: Path, folder: Path) -> None:
    """Run the package as it is installed: the library in C, the examples of the tour, the smoke tests."""
    work, elsewhere = folder / "examples", folder / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    print(run([commands / "python", "-c", LIBRARY], elsewhere).strip())
    for line in examples():
        started = time.monotonic()
        run(["sh", "-c", line], work, PATH=path)
        print(f"ran in {time.monotonic() - started:.1f} s: {line}", flush=True)
    for name in ("tests", "runtime", "docs"):
        shutil.copytree(ROOT / name, elsewhere / name)
    shutil.copy(ROOT / "pyproject.toml", elsewhere)
    tests = [f"tests/{name}.py" for name in SMOKE]
    out = run([commands / "python", "-m", "pytest", "-q", "-o", "addopts=", "-m", "not slow", *tests], elsewhere)
    print(next(line for line in reversed(out.splitlines()) if "passed" in line))


def main() -> None:
    """Build, list, install and try; `--only-build` stops before the installation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only-build", action="store_true", help="do not install the wheel")
    parser.add_argument("--wheel", type=Path, help="wheel to try, instead of building it")
    parser.add_argument("--python", nargs="+", help="Pythons of the new environments; without it, those that uv finds")
    parser.add_argument("--oldest", action="store_true", help="install the oldest dependencies that are allowed")
    parser.add_argument("--environment", type=Path, help="environment to use again, instead of new ones")
    options = parser.parse_args()
    wheel = options.wheel or build()
    print("\n".join(contents(wheel)), flush=True)
    if options.only_build:
        return
    for python in ["-"] if options.environment else options.python or pythons():
        with tempfile.TemporaryDirectory() as folder:
            environment = options.environment or Path(folder) / "venv"
            try_out(install(wheel, environment, python, oldest=options.oldest), Path(folder))


if __name__ == "__main__":
    main()
