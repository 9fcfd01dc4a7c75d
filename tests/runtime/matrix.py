"""The same pictures by every implementation of integer programs: `python -m tests.runtime.matrix --count 1000`.

Picture i is of the i-th bundled model in turn, from seed 7 and index i. Every second round has guidance 3,
temperature 0.8 and top-p 0.95; labels and prompts go round. What is printed for each implementation is the SHA-256 of
all levels. With `--record FOLDER` it is that of the SHA-256 of each hundred pictures of a model, which are kept in a
file for each implementation, so that a long run goes on where it was stopped. The vectors of the frozen sentence
encoder are computed by Python, and given to JavaScript; wasmtime, Node and Chromium, which run the library for pages,
get the integers of conditions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning.portable import to_fixed
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.library import KERNELS, available_levels
from pointillist.files.writing import write_text
from pointillist.model.portable import ProgramModel
from pointillist.model.portable.conditions import join_inputs
from pointillist.sampling.uniforms import seeded_uniforms
from pointillist.zoo import list_pretrained
from tests.golden_images import integer_model
from tests.integer_draws import draw_encoded, encoded

if TYPE_CHECKING:
    from .in_wasmtime import WasmtimeProgram

SEED, TOGETHER, SLICE, AT_ONCE = 7, 200, 100, 4
PROMPTS = ("heart", "red apple", "orb spider", "umbrella", "rocket", "green dragon")
GUIDED = Transform(3.0, 0.8, 0.95)
WEB = ("wasmtime", "node", "chromium")
IMPLEMENTATIONS = ("numpy", "torch", *(f"c-{level}" for level in available_levels()), *WEB, "javascript")


@dataclass(frozen=True)
class Picture:
    """A picture: its index, model, label and prompt, and what is done to its distributions."""

    index: int
    model: str
    label: int | None
    prompt: str | None
    transform: Transform

    @classmethod
    def of(cls, index: int) -> Picture:
        """Return the picture of an index."""
        # JavaScript computes all 65,536 levels of each pixel, in minutes: `tests.golden_images` has a small image
        names = [model.name for model in list_pretrained() if integer_model(model.name).image.levels <= 256]
        turn, model = index // len(names), integer_model(names[index % len(names)])
        label = turn // 2 % len(model.classes) if model.classes else None
        prompt = PROMPTS[turn // 2 % len(PROMPTS)] if model.conditions.reader("text") is not None else None
        guided = turn % 2 == 1 and (label is not None or prompt is not None)
        return cls(index, names[index % len(names)], label, prompt, GUIDED if guided else IDENTITY)


def by_python(pictures: list[Picture], executor: str) -> dict[int, np.ndarray]:
    """Draw pictures, those of one model and transform together."""
    groups: defaultdict[tuple[str, Transform], list[Picture]] = defaultdict(list)
    for picture in pictures:
        groups[picture.model, picture.transform].append(picture)
    result: dict[int, np.ndarray] = {}
    for (name, transform), members in groups.items():
        model = integer_model(name)
        size, order = (model.image.height, model.image.width), model.order()
        for batch in _batches(members):
            labels = [picture.label for picture in batch] if model.classes else None
            texts = [picture.prompt for picture in batch] if model.conditions.reader("text") is not None else None
            given = model.conditions.inputs(labels, len(batch), texts, size=size)
            inputs = model.encode(given, len(given), size, order)
            if transform.is_guided:
                inputs = join_inputs(inputs, model.encode(given.guidance_reference(), len(given), size, order))
            uniforms = seeded_uniforms(SEED, [picture.index for picture in batch], (model.image.channels, *size))
            if executor == "wasmtime":
                levels = _in_wasmtime(name).sample(uniforms, inputs, transform)
            else:
                levels, _ = draw_encoded(model, uniforms, inputs, order, transform, executor=executor)
            result |= {picture.index: x for picture, x in zip(batch, levels, strict=True)}
    return result


@cache
def _in_wasmtime(name: str) -> WasmtimeProgram:
    from .in_wasmtime import WasmtimeProgram

    model = integer_model(name)
    return WasmtimeProgram(model.program(model.order()))


def by_web(pictures: list[Picture], implementation: str) -> dict[int, np.ndarray]:
    """Draw pictures by the library for pages, those of one model together."""
    from .in_web import paint_in_chromium, paint_in_node
    from .test_javascript import FOLDERS, flat

    result: dict[int, np.ndarray] = {}
    for name in {picture.model: None for picture in pictures}:
        members, jobs, model = [one for one in pictures if one.model == name], [], integer_model(name)
        for picture in members:
            transform = picture.transform
            inputs = encoded(
                model, 1, (model.image.height, model.image.width), model.order(), picture.label, picture.prompt
            )
            jobs.append({
                "seed": SEED, "index": picture.index, "inputs": flat(inputs, 0) if inputs else None,
                "label": picture.label, "features": features(model, picture.prompt),
                "guidance": transform.guidance, "temperature": transform.temperature, "topP": transform.top_p,
            })  # fmt: skip
        paint = paint_in_node if implementation == "node" else paint_in_chromium
        drawn = paint(name, FOLDERS[name], jobs)
        result |= {picture.index: np.array(levels) for picture, levels in zip(members, drawn, strict=True)}
    return result


def features(model: ProgramModel, prompt: str | None) -> dict[str, list[int]]:
    """Return the features of a prompt for each part that reads it, in steps of 2^-18."""
    result: dict[str, list[int]] = {}
    for part in model.parts[0]:
        if part.encoder is not None and part.keyword == "text" and prompt is not None:
            value = part.encoder.reader.read(prompt, 1, (1, 1))
            result[part.name] = to_fixed(part.encoder.features(value.values, value.known))[0].tolist()
    return result


def _batches(members: list[Picture]) -> list[list[Picture]]:
    return [members[start : start + TOGETHER] for start in range(0, len(members), TOGETHER)]


def by_javascript(pictures: list[Picture]) -> dict[int, np.ndarray]:
    """Draw pictures in Node, from seed, label and prompt."""
    from .test_javascript import FOLDERS, javascript

    jobs: list[dict[str, Any]] = []
    for picture in pictures:
        sentence = None
        if picture.prompt is not None:
            parts = integer_model(picture.model).parts[0]
            readers = {part.name: part.encoder.reader for part in parts if part.encoder is not None}
            if "text" in readers:
                sentence = readers["text"].read(picture.prompt, 1, (1, 1)).values[0].tolist()
        transform = picture.transform
        options = {
            "seed": SEED, "index": picture.index, "label": picture.label, "text": picture.prompt, "sentence": sentence,
            "guidance": transform.guidance, "temperature": transform.temperature, "topP": transform.top_p,
        }  # fmt: skip
        jobs.append({"job": "sample", "folder": str(FOLDERS[picture.model]), "options": options})
    results = javascript(*jobs, seconds=None)
    return {picture.index: np.array(each["levels"]) for picture, each in zip(pictures, results, strict=True)}


def digest_of(implementation: str, count: int) -> str:
    """Draw the first pictures by an implementation, and hash them."""
    pictures = [Picture.of(index) for index in range(count)]
    return digest(pictures, draw(implementation, pictures))


def draw(implementation: str, pictures: list[Picture]) -> dict[int, np.ndarray]:
    """Draw pictures by an implementation: levels by index."""
    if implementation == "javascript":
        return by_javascript(pictures)
    if implementation in ("node", "chromium"):
        return by_web(pictures, implementation)
    return by_python(pictures, "compiled" if implementation.startswith("c-") else implementation)


def digest(pictures: list[Picture], levels: dict[int, np.ndarray]) -> str:
    """Hash the levels of pictures."""
    result = hashlib.sha256()
    for picture in pictures:
        result.update(levels[picture.index].reshape(-1).astype("<u2").tobytes())
    return result.hexdigest()


def slices(count: int) -> dict[str, list[list[Picture]]]:
    """Split the first pictures: for each model, its pictures in slices of `SLICE`."""
    models: defaultdict[str, list[Picture]] = defaultdict(list)
    for index in range(count):
        picture = Picture.of(index)
        models[picture.model].append(picture)
    return {
        name: [members[start : start + SLICE] for start in range(0, len(members), SLICE)]
        for name, members in models.items()
    }


def record(implementation: str, count: int, path: Path, models: list[str] | None = None) -> None:
    """Draw what the record of an implementation lacks, or has by another program; write it after a few slices."""
    stored: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for name, members in slices(count).items():
        if models and name not in models:
            continue
        program = integer_model(name).fingerprint
        if stored.get(name, {}).get("program") != program:
            stored[name] = {"program": program, "seconds": 0.0, "pictures": {}}
        missing = [pictures for pictures in members if _key(pictures) not in stored[name]["pictures"]]
        for start in range(0, len(missing), AT_ONCE):
            several = missing[start : start + AT_ONCE]
            begin = time.process_time() + sum(os.times()[2:4])
            levels = draw(implementation, [picture for pictures in several for picture in pictures])
            passed = time.process_time() + sum(os.times()[2:4]) - begin
            stored[name]["pictures"] |= {_key(pictures): digest(pictures, levels) for pictures in several}
            stored[name]["seconds"] = round(stored[name]["seconds"] + passed, 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(stored, indent=1) + "\n")


def _key(pictures: list[Picture]) -> str:
    return f"{pictures[0].index} to {pictures[-1].index}"


def recorded(count: int, path: Path) -> tuple[int, str]:
    """Count the pictures of a record by the programs that are bundled now, and hash their hashes."""
    stored: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    total, digest = 0, hashlib.sha256()
    for name, members in slices(count).items():
        entry = stored.get(name, {})
        for pictures in members if entry.get("program") == integer_model(name).fingerprint else ():
            if _key(pictures) in entry["pictures"]:
                total += len(pictures)
                digest.update(f"{name} {_key(pictures)} {entry['pictures'][_key(pictures)]}\n".encode())
    return total, digest.hexdigest()


def main() -> None:
    """Print a line for each implementation; the kernels of C are chosen once a process, so each has its own."""
    parser = argparse.ArgumentParser(description="The same pictures by every implementation.")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--implementation", choices=IMPLEMENTATIONS, action="append")
    parser.add_argument("--record", type=Path, help="a folder of records: draw what they lack, and go on after a stop")
    parser.add_argument("--model", action="append", help="add pictures of this model to the records, and of no other")
    parser.add_argument("--here", action="store_true", help="in this process")
    arguments = parser.parse_args()
    for name in arguments.implementation or IMPLEMENTATIONS:
        if not arguments.here:
            kernels = {KERNELS: name.removeprefix("c-")} if name.startswith("c-") else {}
            command = [sys.executable, "-m", "tests.runtime.matrix", "--here", "--count", str(arguments.count)]
            command += ["--record", str(arguments.record.resolve())] if arguments.record else []
            command += ["--implementation", name, *(f"--model={model}" for model in arguments.model or ())]
            subprocess.run(command, check=True, env=os.environ | kernels, cwd=Path(__file__).parents[2])
        elif arguments.record:
            path = arguments.record / f"{name}.json"
            record(name, arguments.count, path, arguments.model)
            pictures, digest = recorded(arguments.count, path)
            print(f"{name:12} {pictures:6} {digest}", flush=True)
        else:
            begin = time.monotonic()
            digest = digest_of(name, arguments.count)
            print(f"{name:12} {arguments.count:6} {digest} {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
