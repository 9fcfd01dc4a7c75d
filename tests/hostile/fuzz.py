"""Fuzz every reader of files: a file is accepted or refused with one sentence, in bounded memory and time.

    python -m tests.hostile.fuzz --seconds 600      # what `make fuzz` runs

Hypothesis damages valid files and makes structured ones. A case runs under limits of address space and time. Any
exception but the package's own is a failure, which Hypothesis reduces to the smallest file that shows it.
"""

from __future__ import annotations

import argparse
import contextlib
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
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import transformers
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

import pointillist as pt
from pointillist.checkpoint.header import CONFIG, WEIGHTS
from pointillist.conditioning.text_encoders import open_encoder
from pointillist.data.palette import read_palette
from pointillist.data.standard import read_idx
from pointillist.errors import MAX_MESSAGE, PointillistError
from pointillist.model.vocabulary import describe_unseen_words
from pointillist.studio.reproduce import read_manifest
from pointillist.training.run_config import RunConfig
from pointillist.training.settings_tree import read_toml

from .valid_files import arrays, encoder_files, idx_files, model_files, parquet_files, pictures

MEMORY = 3 * 2**30  # bytes of address space that a case may add
SECONDS = 20  # of computing for one case
WAITING = 15 * SECONDS  # of one case on a machine that is busy with other things
TOKENS = [
    *(b"9" * 400, b"9" * 5000, b"1e999", b"-1", b"NaN", b"18446744073709551616", b"null", b"true", b'"\\ud800"', b"\0"),
    *(b"[" * 2000, b'{"a":' * 2000, b"a." * 500, b"\xff\xfe", b'"' + b"x" * 20_000 + b'"', b"[]", b"{}", b"\n", b","),
]


class TooSlow(BaseException):
    """A case that runs longer than `SECONDS`, or waits longer than `WAITING`."""


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


@lru_cache
def _values(keys: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """JSON values of any depth, with some names that a reader knows."""
    numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([2**31, 2**63, 2**64, 10**30, -1, 0, 1e308]))
    texts = st.one_of(st.text(max_size=20), st.sampled_from(["a.png", "#ff0000", "../x", "\ud800", "x" * 20_000]))
    names = st.one_of(st.sampled_from(keys), st.text(max_size=8))
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(names, inner, max_size=6), max_leaves=20
    )


def values(keys: list[str]) -> st.SearchStrategy[Any]:
    """JSON values of any depth, with some names that a reader knows; one strategy for all draws."""
    return _values(tuple(keys))


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


def readers() -> list[Reader]:
    """Every reader, with its files."""
    files = model_files()
    encoders = {kind: encoder_files(kind) for kind in ("minilm", "clip")}
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

    def idx(data: bytes, folder: Path) -> object:
        return read_idx(file("a.gz" if data[:2] == b"\x1f\x8b" else "a", data, folder))

    def parquet_file(data: bytes, folder: Path) -> object:
        return pt.load_data(file("a.parquet", data, folder), valid_fraction=0.0)

    def encoder(kind: str, name: str) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> object:
            for other, content in {**encoders[kind], name: data}.items():
                file(other, content, folder)
            return open_encoder(f"{kind}:{folder}").encode("a red dragon")

        return read

    def captions(data: bytes, folder: Path) -> object:
        tree = {**config, "training": {"captions": json.loads(data)}}
        notes = describe_unseen_words(
            model(CONFIG)(as_json(tree), folder).training_record, ["a hart, a zebra", "x" * 100]
        )
        assert all(note.isprintable() for note in notes)
        return notes

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

    def structured(name: str, content: bytes) -> st.SearchStrategy[bytes]:
        if name.endswith(".json"):
            return replaced(json.loads(content), ["hidden_size", "type", "vocab"])
        return damaged([content])

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
        Reader("IDX", damaged(idx_files()), idx),
        Reader("Parquet", damaged(parquet_files()), parquet_file),
        Reader("captions of a model", values(["words", "commas", "complete"]).map(as_json), captions),
        *(
            Reader(f"{kind}: {name}", both([content], structured(name, content)), encoder(kind, name))
            for kind, found in encoders.items()
            for name, content in found.items()
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
    raise TooSlow(f"over {SECONDS} seconds of computing, or {WAITING} in all")


def stop_on_signals(*handlers: Any) -> list[Any]:
    """Set the handler of the timers, one for both or one each; return those before."""
    signals = (signal.SIGALRM, signal.SIGPROF)
    return [signal.signal(number, handlers[i % len(handlers)]) for i, number in enumerate(signals)]


def outcome(reader: Reader, data: bytes) -> str:
    """Read a file, and return `accepted` or `refused`.

    Raises:
        AssertionError: if the message is no single line of bounded length.
        Exception: whatever the reader must not raise.
    """
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1)  # again: in a callback it would be lost
    signal.setitimer(signal.ITIMER_REAL, WAITING, 1)
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
        signal.setitimer(signal.ITIMER_PROF, 0)
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
    previous = stop_on_signals(_stop)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
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
        stop_on_signals(*previous)
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
