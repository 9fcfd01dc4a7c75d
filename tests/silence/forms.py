"""Laws of form: an image in memory or in a file of any kind, among any others, is the same to every function."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

import pointillist as pt

from .filling import hole_of
from .lab import PROMPTS, Lab, NothingComparedError, Subject, law, near, same
from .sampling import numbers

FILES = {".png": {}, ".gif": {}, ".tif": {}, ".webp": {"lossless": True, "exact": True}, ".bmp": {}, ".ppm": {}}
"""Kinds of files that hold every pixel of a picture, with what Pillow needs to be told."""


def flipped(array: np.ndarray) -> np.ndarray:
    """Return a view of equal values with negative strides."""
    return np.flip(np.flip(array, -1).copy(), -1)


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a copy that cannot be written."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[np.ndarray], Any]] = {
    "int16": lambda x: x.astype(np.int16), "int32": lambda x: x.astype(np.int32), "uint16": lambda x: x.astype("u2"),
    "big-endian": lambda x: x.astype(">i4"), "uint64": lambda x: x.astype(np.uint64), "columns": np.asfortranarray,
    "negative strides": flipped, "read-only": read_only, "every other": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "tensor": lambda x: torch_of(x), "int32 tensor": lambda x: torch_of(x).int(),
    "channels last tensor": lambda x: torch_of(np.moveaxis(x, -3, -1).copy()).movedim(-1, -3),
}  # fmt: skip
"""The same levels, otherwise in memory."""


def torch_of(array: np.ndarray) -> Any:
    """Return a tensor of a copy."""
    import torch

    return torch.from_numpy(np.array(array))


def uses(rng: random.Random, subject: Subject) -> dict[str, Callable[[Any], Any]]:
    """Return what is done with an image `[c h w]`, or a picture: functions whose numbers are compared."""
    model, seed, known = subject.model, rng.randrange(2**53), hole_of(rng, subject.size)
    given = {k: v for k, v in subject.draw_conditions(rng).items() if k in ("label", "text")}
    if not known.any():
        known[0, 0] = True
    share = rng.choice([0.2, 0.5])
    made: dict[str, Callable[[Any], Any]] = {
        "inpaint": lambda x: numbers(pt.inpaint(model, x, known, 2, seed=seed, particles=8, **given)),
        "vary": lambda x: numbers(pt.vary(model, x, share, 2, seed=seed, particles=8)),
        "explain": lambda x: pt.explain(model, x, **given, max_attributions=0).maps.bits,
        "recover_uniforms": lambda x: pt.recover_uniforms(model, x, seed=seed, **given),
    }
    if subject.text:
        made["rank"] = lambda x: pt.rank(model, x, list(PROMPTS[:3])).log_likelihood
    return made


def batches(subject: Subject) -> dict[str, Callable[[Any], Any]]:
    """Return what is done with several images `[n c h w]`."""
    model = subject.model
    made: dict[str, Callable[[Any], Any]] = {"evaluate": lambda x: pt.evaluate(model, x).nats_per_image}
    if subject.integer and not model.image.is_deep:
        made["compress"] = lambda x: np.frombuffer(pt.compress(model, x), np.uint8)
    elif subject.integer:  # the archive keeps the type
        made["compress"] = lambda x: np.asarray(pt.decompress(pt.compress(model, x), model), np.int64)
    return made


@law(10)
def layouts(rng: random.Random, lab: Lab) -> None:
    """Levels of any integer type, stride and order, of numpy or torch, which are as they were afterwards."""
    subject = lab.choose(rng)
    many = rng.random() < 0.4
    doings = batches(subject) if many else uses(rng, subject)
    name = rng.choice(sorted(doings))
    x = images_of(rng, subject, rng.randint(1, 3) if many else 1)
    if not many:
        x = x[0]
    layout = rng.choice(sorted(LAYOUTS))
    if x.max() > np.iinfo(np.int16).max and layout == "int16":
        layout = "int32"
    form, about = LAYOUTS[layout](x), f"{subject.name}: {name} of {layout}"
    same(doings[name](x), doings[name](form), about)
    same(x, np.asarray(form), f"{about}, afterwards")


@law(10)
def files(rng: random.Random, lab: Lab) -> None:
    """A picture of PIL, as an array, and as a file of any kind without loss, by its path and the text of it."""
    fits = lambda s: s.model.image.mode in ("grey", "rgb") and 2 <= s.model.image.levels <= 256  # noqa: E731
    subject = lab.choose(rng, pictured, fits, lambda s: not s.takes("hint"))
    doings = uses(rng, subject)
    name = rng.choice(sorted(doings))
    picture = pt.sample(subject.model, 1, seed=rng.randrange(999), size=subject.size).images[0]
    picture = picture.convert("L" if subject.model.image.mode == "grey" else "RGB")
    ending = rng.choice([e for e in FILES if picture.mode == "L" or e != ".gif"])
    path = lab.path(ending)
    picture.save(path, **FILES[ending])
    with Image.open(path) as opened:
        forms: dict[str, Any] = {
            "array": np.asarray(picture), "path": path, "text": str(path), "opened": opened,
            "palette": picture.convert("P", palette=Image.Palette.ADAPTIVE) if picture.mode == "L" else picture,
            "RGBA": picture.convert("RGBA"), "levels": subject.model.to_levels([picture])[0],
        }  # fmt: skip
        form = rng.choice(sorted(forms))
        first, second = doings[name](picture), doings[name](forms[form])
    same(first, second, f"{subject.name}: {name} of {form} {ending}")


@law(4)
def sources(rng: random.Random, lab: Lab) -> None:
    """A folder of files of mixed kinds, an archive, an array and pages of a TIFF hold the same data set."""
    subject, n = lab.choose(rng, pictured, lambda s: not s.takes("hint")), rng.randint(2, 5)
    if subject.model.image.mode == "rgba":
        raise NothingComparedError("RGBA")
    samples = pt.sample(subject.model, n, seed=rng.randrange(999), size=subject.size)
    pictures = [one.convert("L" if subject.model.image.mode == "grey" else "RGB") for one in samples.images]
    folder = lab.path()
    folder.mkdir()
    for number, picture in enumerate(pictures):
        ending = rng.choice([e for e in FILES if picture.mode == "L" or e != ".gif"])
        picture.save(folder / f"{number}{ending}", **FILES[ending])
    array, npy, npz = np.stack([np.asarray(one) for one in pictures]), lab.path(".npy"), lab.path(".npz")
    np.save(npy, array)
    np.savez_compressed(npz, anything=array)
    forms = {"folder": folder, "npy": npy, "npz": npz, "text": str(folder), "array": array, "list": pictures}
    name = rng.choice(sorted(forms))
    data = pt.load_data(forms[name], spec=subject.model.image).get("all")
    expected = pt.evaluate(subject.model, samples.levels).nats_per_image
    same(expected, pt.evaluate(subject.model, data).nats_per_image, f"{subject.name}: {n} images by {name}")


@law(5)
def hints(rng: random.Random, lab: Lab) -> None:
    """A hint as a path, a picture or levels, of one image or of each."""
    subject = lab.choose(rng, lambda s: s.takes("hint"))
    reader = subject.model.conditions.reader("hint")
    n, seed = rng.randint(1, 3), rng.randrange(2**53)
    shape = (1, *subject.size) if subject.bundled else (1, 2, 2)
    levels = np.random.default_rng(rng.randrange(999)).integers(0, 2, shape)
    forms: dict[str, Any] = {layout: change(levels) for layout, change in LAYOUTS.items()}
    forms |= {"of each": np.stack([levels] * n), "tensor of each": torch_of(np.stack([levels] * n))}
    if subject.bundled:
        picture, path = Image.fromarray((levels[0] * 255).astype(np.uint8)), lab.path(".png")
        picture.save(path)
        forms |= {"picture": picture, "path": path, "pictures": [picture] * n}
    name = rng.choice(sorted(forms))
    first = pt.sample(subject.model, n, seed=seed, hint=levels)
    try:
        second = pt.sample(subject.model, n, seed=seed, hint=forms[name])
    except pt.PointillistError:
        raise NothingComparedError("no such hint") from None
    same(numbers(first), numbers(second), f"{subject.name}: a hint as {name}, {type(reader).__name__}")


def images_of(rng: random.Random, subject: Subject, n: int) -> np.ndarray:
    """Return levels that the model painted, of its own size or a small one."""
    return pt.sample(subject.model, n, seed=rng.randrange(1000), size=subject.size).levels


def pictured(subject: Subject) -> bool:
    """Return True if the levels of a model are the colours of pictures."""
    return subject.model.image.mode in ("grey", "rgb", "rgba") and subject.model.image.levels <= 256


@law(4)
def order_of_images(rng: random.Random, lab: Lab) -> None:
    """The likelihood of an image is its own, whatever comes before it, in batches of any size."""
    subject, n = lab.choose(rng), rng.randint(2, 7)
    x, given = images_of(rng, subject, n), subject.draw_conditions(rng)
    engine = "torch" if rng.random() < 0.3 else "auto"
    moved = np.array(rng.sample(range(n), n))
    first = pt.evaluate(subject.model, x, **given, engine=engine).nats_per_image
    second = pt.evaluate(subject.model, x[moved], **given, engine=engine, batch_size=rng.randint(1, n)).nats_per_image
    compare = near if engine == "torch" or not subject.integer else same
    compare(first[moved], second, f"{subject.name} {given} {engine}: nats in the order {moved}")
