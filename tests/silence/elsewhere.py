"""Laws of programs and files beside Python: pictures of JavaScript and C, codecs of arrays, slices of DICOM."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.compression.arrays.chunks import PointillistCodec
from pointillist.data.readers.science import read_science
from tests.data.test_science import write_dicom
from tests.hostile.fuzz_runtime import compiler
from tests.runtime.test_exports import picture

from .lab import PROMPTS, Lab, SilentError, Subject, law, same, with_integers, with_text_parts
from .programs import NODE
from .roads import command, program_of

TRIES = 6
"""Seeds after which two settings that always paint the same picture are one."""


def in_node(subject: Subject) -> bool:
    """Return True if the module of a model takes the settings that the laws draw."""
    return NODE is not None and with_integers(subject) and not (subject.takes("vector") or subject.takes("attributes"))


def draw_request(rng: random.Random, subject: Subject) -> dict[str, Any]:
    """Return a random request of the module."""
    request: dict[str, Any] = {"seed": rng.randrange(2**53), "height": subject.size[0], "width": subject.size[1]}
    request |= {"temperature": 1, "topP": 1}
    if subject.model.classes:
        request["label"] = rng.choice(subject.model.classes)
    if subject.text and not with_text_parts(subject):
        request["text"] = rng.choice(PROMPTS)
    return request


def levels_of(lab: Lab, subject: Subject, request: dict[str, Any]) -> tuple[list[int], list[str]]:
    """Return what the module paints, and its notes."""
    answer = lab.module(subject).ask(request=request)
    if "error" in answer:
        raise SilentError(f"{subject.name} {request} by the module: {answer['error']}")
    return answer["levels"], answer["notes"]


def draw_change(rng: random.Random, subject: Subject, request: dict[str, Any]) -> dict[str, Any]:
    """Return a setting that paints another picture."""
    changes: list[dict[str, Any]] = [{"index": rng.randint(1, 9)}, {"temperature": 0.2}, {"topP": 0.1}]
    changes.append({"seed": request["seed"] ^ 1 << rng.randrange(52)})
    others = [name for name in subject.model.classes if name != request.get("label")]
    if others:
        changes += [{"label": rng.choice(others)}, {"guidance": 6}]
    if "text" in request:
        changes.append({"text": rng.choice([prompt for prompt in PROMPTS if prompt != request["text"]])})
    orders = [order for order in subject.model.orders if order != subject.model.orders[0]]
    if orders:
        changes.append({"order": rng.choice(orders)})
    return rng.choice(changes)


@law(4)
def another_request(rng: random.Random, lab: Lab) -> None:
    """The module paints another picture by another seed, number, condition, order, temperature, top-p or guidance."""
    subject = lab.choose(rng, in_node)
    request = draw_request(rng, subject)
    change = draw_change(rng, subject, request)
    for _ in range(TRIES):  # a tiny image may be the same by chance
        first, _ = levels_of(lab, subject, request)
        second, notes = levels_of(lab, subject, request | change)
        if first != second or notes:
            return
        request["seed"] = rng.randrange(2**53)
        change = {"seed": request["seed"] ^ 1} if "seed" in change else change
    raise SilentError(f"{subject.name} {request} by the module: {change} changes nothing")


@law(4)
def requests_in_any_order(rng: random.Random, lab: Lab) -> None:
    """A picture of the module depends on its request alone, and is the image of that number of `pt.sample`."""
    subject = lab.choose(rng, in_node)
    requests = [draw_request(rng, subject) | {"index": rng.randint(0, 3)} for _ in range(3)]
    first = [levels_of(lab, subject, request)[0] for request in requests]
    numbers = rng.sample(range(3), 3)
    again = {number: levels_of(lab, subject, requests[number])[0] for number in numbers}
    same(first, [again[number] for number in range(3)], f"{subject.name} {requests} in the order {numbers}")
    request = requests[0]
    how = {name: request[name] for name in ("seed", "label", "text", "temperature") if name in request}
    fixed = {} if subject.model.fixed_size else {"size": subject.size}
    several = pt.sample(subject.model, request["index"] + 1, top_p=request["topP"], **how, **fixed)
    same(several.levels[-1].reshape(-1), first[0], f"{subject.name} {request}, one of several")


@law(4)
def known_pixels(rng: random.Random, lab: Lab) -> None:
    """The module keeps what is known, in any share; with all of it known there is nothing that a seed changes."""
    subject = lab.choose(rng, in_node, lambda s: not s.takes("hint"))
    request = draw_request(rng, subject)
    picture_of, _ = levels_of(lab, subject, request)
    known = [level if rng.random() < 0.6 else None for level in picture_of]
    other, _ = levels_of(lab, subject, request | {"known": known, "seed": rng.randrange(2**53)})
    kept = [(level, new) for level, new in zip(known, other, strict=True) if level is not None]
    same([level for level, _ in kept], [new for _, new in kept], f"{subject.name} {request}, known levels")


@law(5)
def another_picture_in_c(rng: random.Random, lab: Lab) -> None:
    """The program in C paints the same again, and another picture by another seed or label."""
    names = ["digits", "gated-pixelcnn", "pixelcnn-pp", "labelled"]
    subject = lab.choose(rng, with_integers, lambda s: s.name in names and compiler() is not None)
    folder, labels = program_of(lab, subject), list(subject.model.classes)
    by_label = len(labels) > 1 and rng.random() < 0.5
    for _ in range(TRIES):
        seed, label = rng.randrange(2**53), rng.choice(labels)
        first = picture(["./example", str(seed), label], folder)
        same(first, picture(["./example", str(seed), label], folder), f"{subject.name} {seed} {label} in C, again")
        other = rng.choice([each for each in labels if each != label]) if by_label else label
        second = picture(["./example", str(seed if by_label else seed ^ 1), other], folder)
        if not np.array_equal(first, second):
            return
    raise SilentError(f"{subject.name} in C: {'the label' if by_label else 'the seed'} changes nothing")


def draw_array(rng: random.Random) -> np.ndarray:
    """Return a small array of integers whose type and values vary."""
    numbers, base = np.random.default_rng(rng.randrange(2**32)), rng.choice([0, 0, -40, 1000])
    dtype = rng.choice([np.int16, np.int32, np.uint8 if base == 0 else np.int16])
    return (base + numbers.integers(0, rng.choice([2, 30, 200]), (rng.randint(2, 4), 5, 6))).astype(dtype)


@law(6)
def codecs_of_arrays(rng: random.Random, lab: Lab) -> None:
    """A chunk of numcodecs is the same bytes again, holds its values in any division, and differs by value or model."""
    name = rng.choice(["photos-grey", "grey16"])
    codec, array = PointillistCodec(name), draw_array(rng)
    coded, about = codec.encode(array), f"{name}, {array.dtype} {array.shape} from {array.min()} to {array.max()}"
    same(coded, PointillistCodec(name).encode(array.copy()), f"{about}: again, by another codec")
    columns = codec.decode(codec.encode(np.asfortranarray(array))).reshape(array.shape, order="F")
    same(array, columns, f"{about}: columns first in memory")
    stored = codec.decode(coded)
    if stored.dtype != array.dtype:
        raise SilentError(f"{about}: decoded as {stored.dtype}")
    same(array, stored.reshape(array.shape), f"{about}: decoded")
    parts = [codec.decode(codec.encode(part)) for part in array]
    same(array, np.stack(parts).reshape(array.shape), f"{about}: a chunk an image")
    same(
        array[::-1], codec.decode(codec.encode(array[::-1])).reshape(array.shape), f"{about}: images from last to first"
    )
    changed = array.copy()
    changed[rng.randrange(len(array)), rng.randrange(5), rng.randrange(6)] ^= 1
    for other, words in ((codec.encode(changed), "another value"), (codec.encode(array[:1]), "fewer images")):
        if other == coded:
            raise SilentError(f"{about}: {words} gives the same chunk")
    same(changed, codec.decode(codec.encode(changed)).reshape(array.shape), f"{about}: another value decoded")
    if PointillistCodec("grey16" if name == "photos-grey" else "photos-grey").encode(array) == coded:
        raise SilentError(f"{about}: another model gives the same chunk")


@law(5)
def slices_of_dicom(rng: random.Random, lab: Lab) -> None:
    """A volume is the same by any names, as one file, and as an array; it differs by its positions and its values."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    volume = numbers.normal(600, 9, (rng.randint(2, 5), 6, 5)).round().astype(np.uint16)

    def series(values: np.ndarray, step: float = 2.5) -> Any:
        folder, names = lab.path(), rng.sample(range(100), len(values))
        folder.mkdir()
        for i, (number, array) in enumerate(zip(names, values, strict=True)):
            place: dict[str, Any] = {"ImagePositionPatient": [1.0, 2.0, step * i], "InstanceNumber": number + 1}
            write_dicom(folder / f"{number}.dcm", array, SeriesInstanceUID="1.2.9", **place)
        return folder

    folder, single, array = series(volume), lab.path(".dcm"), lab.path(".npy")
    write_dicom(single, volume)
    np.save(array, volume)
    about = f"a volume of {volume.shape}"
    same(volume, read_science(folder), f"{about} of slices")
    same(volume, read_science(single), f"{about} in one file")
    same(volume[::-1], read_science(series(volume, -2.5)), f"{about} from the other end")
    scores = [pt.evaluate("grey16", source, batch_size=rng.randint(1, 3)).nats for source in (folder, single, array)]
    same(scores[:1] * 2, scores[1:], f"{about}, scores by slices, file and array")
    archives = [lab.path(".pxl") for _ in range(2)]
    for path, source in zip(archives, (folder, series(volume)), strict=True):
        command(["compress", "grey16", source, "--out", path], about)
    back = lab.path(".npz")
    command(["decompress", archives[0], "--out", back], about)
    with np.load(back) as stored:
        same(volume, stored["x"], f"{about} from an archive")
    same(*(path.read_bytes() for path in archives), f"{about}, archives of other names")
    volume[0, rng.randrange(6), rng.randrange(5)] ^= 1
    changed = pt.evaluate("grey16", series(volume)).nats
    if np.array_equal(scores[0], changed):
        raise SilentError(f"{about}: another value has the same score")
