"""Fuzz every reader of files: a file is accepted or refused with one sentence, in bounded memory and time.

    python -m tests.hostile.fuzz --seconds 600      # what `make fuzz` runs

Hypothesis damages valid files and makes structured ones. A case runs under limits of address space and time. Any
exception but the package's own is a failure, which Hypothesis reduces to the smallest file that shows it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

import pointillist as pt
from pointillist.checkpoint.header import CONFIG, WEIGHTS
from pointillist.data.palette import read_palette
from pointillist.errors import MAX_MESSAGE, PointillistError
from pointillist.studio.reproduce import read_manifest
from pointillist.training.run_config import RunConfig
from pointillist.training.settings_tree import read_toml

MEMORY = 3 * 2**30  # bytes of address space that a case may add
SECONDS = 20  # of one case
TOKENS = [
    *(b"9" * 400, b"9" * 5000, b"1e999", b"-1", b"NaN", b"18446744073709551616", b"null", b"true", b'"\\ud800"', b"\0"),
    *(b"[" * 2000, b'{"a":' * 2000, b"a." * 500, b"\xff\xfe", b'"' + b"x" * 20_000 + b'"', b"[]", b"{}", b"\n", b","),
]


class TooSlow(BaseException):
    """A case that runs longer than `SECONDS`."""


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        name: its name in the report.
        data: strategy of the content of a file.
        read: reads such a file, in a folder of its own.
    """

    name: str
    data: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], object]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """Change, cut, repeat and insert parts of a valid file."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["byte", "byte", "token", "cut", "drop", "repeat", "bytes"]))
        if kind == "byte" and place < len(data):
            data[place] = draw(st.integers(0, 255))
        elif kind == "token":
            data[place : place + draw(st.integers(0, 8))] = draw(st.sampled_from(TOKENS))
        elif kind == "cut":
            del data[place:]
        elif kind == "drop":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "repeat":
            data[place:place] = data[max(0, place - draw(st.integers(1, 64))) : place] * draw(st.integers(1, 20))
        elif kind == "bytes":
            data[place : place + 4] = draw(st.binary(min_size=4, max_size=4))
    return bytes(data)


def values(keys: list[str]) -> st.SearchStrategy[Any]:
    """JSON values of any depth, with some names that a reader knows."""
    numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([2**31, 2**63, 2**64, 10**30, -1, 0, 1e308]))
    texts = st.one_of(st.text(max_size=20), st.sampled_from(["a.png", "#ff0000", "../x", "\ud800", "x" * 20_000]))
    names = st.one_of(st.sampled_from(keys), st.text(max_size=8))
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(names, inner, max_size=6), max_leaves=20
    )


def as_json(value: Any) -> bytes:
    """JSON text, in which halves of characters are escaped."""
    return json.dumps(value).encode()


@st.composite
def replaced(draw: st.DrawFn, tree: Any, keys: list[str]) -> bytes:
    """A JSON tree with some of its values replaced, removed or added."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        inner = tree
        while isinstance(inner, (dict, list)) and inner:
            places = list(inner) if isinstance(inner, dict) else range(len(inner))
            place = draw(st.sampled_from(places))
            if not isinstance(inner[place], (dict, list)) or not inner[place] or draw(st.booleans()):
                if draw(st.integers(0, 5)):
                    inner[place] = draw(values(keys))
                else:
                    del inner[place]
                break
            inner = inner[place]
    return as_json(tree)


def pictures() -> list[bytes]:
    """Small valid pictures of many formats."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    found = []
    for image in (colour, colour.convert("L"), colour.convert("P"), colour.convert("RGBA"), colour.convert("1")):
        for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "PCX", "JPEG2000"):
            file = io.BytesIO()
            with contextlib.suppress(OSError, ValueError):
                image.save(file, kind)
                found.append(file.getvalue())
    return found


def arrays() -> list[bytes]:
    """Small valid `.npz` archives and `.npy` files."""
    x, out = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8), []
    for content in ({"x": x}, {"x": x, "y": [0, 1], "text": ["a", "b"]}, {"x_train": x, "x_test": x}):
        for save in (np.savez, np.savez_compressed):
            file = io.BytesIO()
            save(file, **content)  # type: ignore[operator]
            out.append(file.getvalue())
    for array in (x, x / 255, x[0], np.array(["a"])):
        file = io.BytesIO()
        np.save(file, array)
        out.append(file.getvalue())
    return out


def model_files() -> dict[str, bytes]:
    """The files of a tiny model with every kind of condition that needs no other file."""
    model = pt.build(
        "gated-pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny", channels=4, layers=1, classes=("a", "b"),
        attributes={"hair": 2}, vector=3, text="learned",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        model.save_pretrained(Path(name))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def readers() -> list[Reader]:
    """Every reader, with its files."""
    files = model_files()
    config = json.loads(files[CONFIG])

    def file(name: str, data: bytes, folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    def in_folder(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            Image.new("L", (4, 4)).save(folder / "a.png")
            file(name, data, folder)
            options = {"attribute_columns": "hair"} if b"hair" in data else {}
            return pt.load_data(folder, valid_fraction=0.0, **options)

        return read

    def model(name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            for other, content in {**files, name: data}.items():
                file(other, content, folder)
            return pt.load(folder)

        return read

    def picture(data: bytes, folder: Path) -> object:
        path = file("a.png", data, folder)
        return pt.load_data(path, size=(8, 8), valid_fraction=0.0)

    def array(data: bytes, folder: Path) -> object:
        return pt.load_data(file("a.npy" if data[:6] == b"\x93NUMPY" else "a.npz", data, folder), valid_fraction=0.0)

    def palette(suffix: str) -> Callable[[bytes, Path], object]:
        return lambda data, folder: read_palette(file(f"a{suffix}", data, folder))

    def run_file(data: bytes, folder: Path) -> object:
        return RunConfig.from_dict(read_toml(file("run.toml", data, folder)))

    row = ["file_name", "text", "label", "hair", "vector"]
    rows = [b'{"file_name": "a.png", "text": "red", "label": 3, "hair": "black"}\n']
    toml = RunConfig.from_dict({"data": {"source": "x"}}).to_toml().encode()
    colours = [[255, 0, 0], [0, 0, 0, 255]]
    manifest = {
        "format": "pointillist-manifest", "version": 1, "model": {"name": "a", "sha256": "0" * 64},
        "environment": {"processor": "p", "pointillist": "0", "torch": "2", "numpy": "2"},
        "request": {"samples": [{"seed": 1, "conditions": {"label": 1}}], "guidance": 1.0}, "sha256": ["0" * 64],
    }  # fmt: skip
    manifest_keys = ["samples", "seed", "levels", "known", "shape", "data", "dtype", "size", "hint"]
    both = lambda whole, structured: damaged(whole) | structured  # noqa: E731
    return [
        Reader("pictures", damaged(pictures()), picture),
        Reader("arrays", damaged(arrays()), array),
        Reader("metadata.jsonl", both(rows, values(row).map(as_json)), in_folder("metadata.jsonl")),
        Reader("metadata.csv", damaged([b'file_name,text,label\na.png,"red, blue",3\n']), in_folder("metadata.csv")),
        Reader("palette.json", both([as_json(colours)], values(["a"]).map(as_json)), palette(".json")),
        Reader("palette.hex", damaged([b"#ff0000\n00ff00\n; a\n0000ffff"]), palette(".hex")),
        Reader("palette.gpl", damaged([b"GIMP Palette\nName: a\n#\n255 0 0 red\n0 0 0\n"]), palette(".gpl")),
        Reader("palette.png", damaged(pictures()[-20:]), palette(".png")),
        Reader("run.toml", damaged([toml]), run_file),
        Reader("config.json", both([files[CONFIG]], replaced(config, list(config))), model(CONFIG)),
        Reader("model.safetensors", damaged([files[WEIGHTS]]), model(WEIGHTS)),
        Reader(
            "generation_config.json",
            both([b'{"guidance": 2.0}'], values(["guidance", "temperature", "top_p", "examples"]).map(as_json)),
            model("generation_config.json"),
        ),
        Reader(
            "manifest",
            both([as_json(manifest)], replaced(manifest, manifest_keys)),
            lambda data, folder: read_manifest(file("a.json", data, folder)),
        ),
    ]


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Within the block, the address space may grow by `MEMORY`."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _stop(number: int, frame: object) -> None:
    raise TooSlow(f"over {SECONDS} seconds")


def outcome(reader: Reader, data: bytes) -> str:
    """Read a file, and return `accepted` or `refused`.

    Raises:
        AssertionError: if the message is no single line of bounded length.
        Exception: whatever the reader must not raise.
    """
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with tempfile.TemporaryDirectory() as name:
            reader.read(data, Path(name))
    except PointillistError as error:
        message = str(error)
        assert message, "an empty message"
        assert message.isprintable(), f"not printable: {message!r}"
        assert len(message) <= MAX_MESSAGE, f"too long: {message[:200]}"
        return "refused"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "accepted"


def fuzz(reader: Reader, cases: int, start: int) -> tuple[Counter[str], str | None]:
    """Run cases of a reader; return how they ended, and the traceback of the smallest failure."""
    counts: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=cases, deadline=None, database=None, derandomize=False, print_blob=True,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(reader.data)
    def check(data: bytes) -> None:
        counts[outcome(reader, data)] += 1

    try:
        check()
    except (Exception, TooSlow):
        counts["failed"] += 1
        return counts, traceback.format_exc()
    return counts, None


def run(seconds: float, start: int, cases: int = 50) -> tuple[dict[str, Counter[str]], list[str]]:
    """Fuzz all readers in turn, once and then for a time; return the counts by reader, and the failures."""
    previous = signal.signal(signal.SIGALRM, _stop)
    found, failures, end = {}, [], time.monotonic() + seconds
    try:
        everything = readers()
        found = {reader.name: Counter[str]() for reader in everything}
        broken: set[str] = set()
        for turn in count(start):
            for reader in everything:
                if reader.name in broken or (turn > start and time.monotonic() >= end):
                    continue
                with limits():
                    counts, failure = fuzz(reader, cases, turn)
                found[reader.name] += counts
                if failure:
                    broken.add(reader.name)
                    failures.append(f"{reader.name} (seed {turn})\n{failure}")
            if time.monotonic() >= end:
                break
    finally:
        signal.signal(signal.SIGALRM, previous)
    return found, failures


def table(found: dict[str, Counter[str]]) -> str:
    """Format the counts by reader."""
    lines = ["| reader | cases | accepted | refused | failed |", "|---|---|---|---|---|"]
    for name, counts in found.items():
        cells = (counts.total(), counts["accepted"], counts["refused"], counts["failed"])
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return "\n".join([*lines, f"| sum | {sum(counts.total() for counts in found.values()):,} | | | |"])


def main() -> int:
    """Fuzz for the time given, and print the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    found, failures = run(options.seconds, options.seed)
    print(f"{options.seconds:g} seconds from seed {options.seed}\n\n{table(found)}")
    print("\n\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
