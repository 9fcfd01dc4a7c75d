"""Read lists, `torch.utils.data.Dataset`s and endless generators of images, (image, label) pairs, or dictionaries."""

from __future__ import annotations

import hashlib
import runpy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pointillist.data.dataset import Batch, ImageDataset, Indices
from pointillist.data.levels import build_dataset, match_spec
from pointillist.data.options import DataOptions
from pointillist.data.raw import RawImages
from pointillist.data.readers.decode import ImageSource, decode
from pointillist.data.readers.image_folder import LABEL_COLUMNS, TEXT_COLUMNS
from pointillist.data.readers.numpy_files import to_channels_first
from pointillist.data.readers.parquet import IMAGE_COLUMNS
from pointillist.errors import DataError
from pointillist.files.arrays import is_tensor
from pointillist.images import ImageSpec


def read_sequence(source: Any, options: DataOptions, name: str) -> RawImages:
    """Read every item of `source` once, in order.

    Images are PIL images, tensors `c h w`, or arrays `h w [c]`, all of one type; class names come from `.classes`.

    Raises:
        DataError: naming the first item of another type.
    """
    images, labels, texts = [], [], []
    for i in range(len(source)):
        try:
            item = source[i]
        except (KeyError, TypeError) as error:  # a table of pandas is indexed by its columns
            raise DataError(
                f"{name} is a {type(source).__name__}, which has no item {i}: give a list of pictures, an array, or "
                "`(images, labels)`."
            ) from error
        image, label, text, _ = item_parts(item, f"{name}[{i}]", options)
        images.append(image)
        labels.append(label)
        texts.append(text)
    if not images:
        raise DataError(f"{name} holds no images: at least one is needed.")
    indices: np.ndarray = np.arange(len(images))
    if all(isinstance(image, Image.Image) for image in images):
        sources = [ImageSource(f"{name}[{i}]", image.copy) for i, image in enumerate(images)]
        raw, indices = decode(sources, options, name)
    else:
        values, notes = to_channels_first(*_stacked(images, name), codes=options.mode == "codes")
        raw = RawImages(values=values, kind="integers", name=name, notes=notes)
    for option, column in (("label_column", labels), ("caption_column", texts)):
        wanted = getattr(options, option)
        if wanted and column[0] is None:
            raise DataError(f"{name}[0] has no {wanted!r}, which `{option}` names: give items as dictionaries with it.")
    return replace(
        raw,
        labels=_labels([labels[i] for i in indices], name) if options.labels else None,
        texts=None if texts[0] is None else tuple(str(texts[i]) for i in indices),
        classes=tuple(str(c) for c in getattr(source, "classes", None) or ()),
    )


def item_parts(item: Any, name: str, options: DataOptions) -> tuple[Any, Any, Any, Any]:
    """Return image, label, caption and combination of one item; any but the image may be None."""
    if isinstance(item, Mapping):
        image_key = next((k for k in (*IMAGE_COLUMNS, "x", "levels") if k in item), None)
        if image_key is None:
            raise DataError(f"{name} has the keys {', '.join(map(str, item))}: the image must be under 'image'.")
        label_names = (options.label_column,) if options.label_column else LABEL_COLUMNS
        text_names = (options.caption_column,) if options.caption_column else TEXT_COLUMNS
        text = _first(item, text_names)
        return item[image_key], _first(item, label_names), text, item.get("combination", text)
    if isinstance(item, (tuple, list)) and len(item) in (1, 2, 3):
        image, *rest = item
        label = next((r for r in rest if not isinstance(r, str)), None)
        text = next((r for r in rest if isinstance(r, str)), None)
        return image, label, text, text
    return item, None, None, None


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[n] for n in names if n in item), None)


def _stacked(images: list[Any], name: str) -> tuple[np.ndarray, str]:
    """Stack all images into one array `n h w [c]`; tensors `c h w` are transposed."""
    arrays: list[np.ndarray] = []
    for i, image in enumerate(images):
        if is_tensor(image):
            array = image.detach().cpu().numpy()
            array = array.transpose(1, 2, 0) if array.ndim == 3 else array
        elif isinstance(image, np.ndarray):
            array = image
        else:
            raise DataError(
                f"{name}[{i}] is a {type(image).__name__}: items must all be PIL images, all tensors or all arrays."
            )
        if arrays and array.shape != arrays[0].shape:
            raise DataError(
                f"{name}[0] has shape {arrays[0].shape} but {name}[{i}] has {array.shape} (h, w, c): "
                "resize them first, or give PIL images and `size`."
            )
        arrays.append(array)
    return np.stack(arrays), name


def _labels(labels: list[Any], name: str) -> np.ndarray | None:
    if all(label is None for label in labels):
        return None
    try:
        return np.array([label if isinstance(label, str) else int(label) for label in labels])
    except (TypeError, ValueError) as error:
        raise DataError(
            f"A label of {name} is not one number or name for each image ({error}): give one each."
        ) from error


EPOCH = 4096
"""Images of an epoch; each epoch has others."""
MOST_HELD_OUT = 20
"""Epochs of images that are drawn for one to train on, before a generator is rejected."""
Generator = Callable[[np.random.Generator], Iterable[Any]]


class ImageStream(NamedTuple):
    """A function of images, and how its images are read.

    Attributes:
        function: yields images as `read_sequence` takes them, from random numbers of its argument alone.
        name: its name in messages.
        options: options of the data set; its fractions count combinations.
    """

    function: Generator
    name: str
    options: DataOptions

    def draw(self, seed: Sequence[int], count: int) -> dict[str, list[Any]]:
        """Draw `count` images of the split `train`, and the held-out images between them.

        Raises:
            DataError: if the function fails, ends, or if nearly all its combinations are held out.
        """
        parts: dict[str, list[Any]] = {"train": [], "valid": [], "test": []}
        try:
            for item in islice(self.function(np.random.default_rng(seed)), MOST_HELD_OUT * EPOCH):
                parts[self._split(item)].append(item)
                if len(parts["train"]) == count:
                    return parts
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{self.name} failed with {type(error).__name__} ({error}): correct it.") from error
        missing = count - len(parts["train"])
        raise DataError(f"{self.name} ended {missing:,} images early: never end, or lower `valid_fraction`.")

    def read(self, items: list[Any], spec: ImageSpec | None, classes: Sequence[str]) -> ImageDataset:
        """Read images as the kind of a model or of the first epoch."""
        raw = read_sequence(items, match_spec(self.options, spec), self.name)
        return build_dataset(raw, self.options, spec=spec, classes=classes)

    def _split(self, item: Any) -> str:
        """Choose the split of an image by a hash of its `combination`, its caption or its pixels, the first it has."""
        image, *_, key = item_parts(item, self.name, self.options)
        content = np.asarray(image).tobytes() if key is None else str(key).encode()
        share = int.from_bytes(hashlib.sha256(content).digest()[:4]) / 2**32
        valid, test = self.options.valid_fraction, self.options.test_fraction or 0.0
        return "valid" if share < valid else "test" if share < valid + test else "train"


class GeneratedDataset(ImageDataset):
    """A data set whose batches of seed 0 come from its first epoch, and of any other seed from the epoch of that seed.

    An epoch is a function of its seed alone, so that training resumes to the bit.
    """

    _stream: ImageStream
    _epoch: tuple[int, ImageDataset] | None = None

    @classmethod
    def of(cls, first: ImageDataset, stream: ImageStream) -> GeneratedDataset:
        """Make an endless data set of a first epoch."""
        result = cls.__new__(cls)
        result.__dict__.update(first.__dict__, _stream=stream)
        return result

    def batch(self, indices: Indices, *, seed: int = 0, flip: bool = False) -> Batch:
        """Return the images at `indices` of the epoch of `seed`; see `ImageDataset.batch`."""
        if seed <= 0:
            return super().batch(indices, seed=seed, flip=flip)
        epoch = self._epoch
        if epoch is None or epoch[0] != seed:
            items = self._stream.draw((1, seed), EPOCH)["train"]
            epoch = self._epoch = seed, self._stream.read(items, self.spec, self.classes)
        return epoch[1].batch(self._rows[self._checked(indices)], seed=seed, flip=flip)


def read_generator(
    source: Generator | str, options: DataOptions, spec: ImageSpec | None, classes: Sequence[str]
) -> dict[str, ImageDataset]:
    """Read a first epoch of training images, and the images of combinations that are held out, by split.

    ```python
    read_generator("my_generator.py:scenes", DataOptions(valid_fraction=0.05), None, ())["train"]
    ```

    Args:
        source: a function, or `FILE.py:NAME`; the file is run.

    Raises:
        DataError: if the function cannot be read, draws other images from the same seed, or yields none.
    """
    function = source if callable(source) else _function_of_file(source)
    name = str(getattr(source, "__name__", source))
    stream = ImageStream(function, name, options)
    first, again = (item_parts(stream.draw((0, 0), 1)["train"][0], name, options)[0] for _ in range(2))
    if not np.array_equal(np.asarray(first), np.asarray(again)):
        raise DataError(f"{name} draws different images from one seed: take all random numbers from its argument.")
    parts = stream.draw((0, options.seed), EPOCH)
    train = stream.read(parts.pop("train"), spec, classes)
    note = f"drawn while training, {EPOCH:,} images an epoch; held out: combinations by a hash"
    train.notes = (*train.notes, note)
    others = {split: stream.read(items, train.spec, train.classes) for split, items in parts.items() if items}
    return {"train": GeneratedDataset.of(train, stream), **others}


def _function_of_file(source: str) -> Generator:
    """Run a Python file, and return its function: `FILE.py:NAME`.

    Raises:
        DataError: if the file is in the folder of a model or a run, or below one, fails, or has no such function.
    """
    path, _, name = source.rpartition(":")
    file = Path(path).expanduser().resolve()
    if any((parent / name).exists() for parent in file.parents for name in ("model.safetensors", "run.toml")):
        raise DataError(f"{path} is in the folder of a model, whose code is never run: copy it, if you trust it.")
    sys.path.insert(0, str(file.parent))
    try:
        function: Generator | None = runpy.run_path(str(file), run_name=file.stem).get(name)
    except Exception as error:
        raise DataError(f"{path} failed with {type(error).__name__} ({error}): correct it.") from error
    finally:
        sys.path.remove(str(file.parent))
    if not callable(function):
        raise DataError(f"{path} has no function {name!r}: name one, as in {file.name}:scenes.")
    return function
