"""Read images for a model: batch by batch with their conditions, or one with what its levels do not hold."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image

from pointillist.conditioning import NO_LABEL, ConditionInputs, ConditionKwargs, ConditionReaders, Label, match_names
from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.data.pixels import read_picture, to_channels
from pointillist.errors import DataError, ShapeError, check_whole, counted
from pointillist.files.arrays import as_array, is_tensor
from pointillist.images import ImageSpec
from pointillist.images.array_types import Int, Shaped, UInt8
from pointillist.images.pictures import composite_on_white, picture_array
from pointillist.model.folder.image_sources import read_splits, resolve_data_options
from pointillist.model.protocols import LikelihoodModel

_log = logging.getLogger(__name__)


def dataset_conditions(model: LikelihoodModel, data: ImageDataset) -> ConditionReaders:
    """Return what reads the conditions of batches of a data set; what the data set does not have is unknown.

    Raises:
        ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
    """
    if len(data):
        # names what does not fit before any work is done: no caption is encoded, and no encoder loaded, for that
        model.conditions.from_batch(replace(data.batch([0]), texts=None))
    reader = model.conditions.prompt_reader
    if data.texts is not None and reader is not None and reader.vectors is not None:
        reader.vectors.keep(text for text in data.texts if text.strip())  # on disk, once they are encoded
    return model.conditions


def match_labels(model: LikelihoodModel, data: ImageDataset) -> Int[np.ndarray, " n"]:
    """Number the labels of a data set as the model does, by class name; `NO_LABEL` without labels.

    Raises:
        ConfigError: if the data set has a class that the model does not know.
    """
    classes = model.classes
    if not classes or data.labels is None:
        return np.full(len(data), NO_LABEL)
    numbers: np.ndarray = match_names(data.classes, classes, "Class")[np.asarray(data.labels)]
    return numbers


class QueryKwargs(ConditionKwargs, total=False):
    """Conditions besides `label` and `text`, the order and the engine: keywords of `evaluate`, `explain` and views.

    ```python
    ImageQuery.of(model, x, label="6", order="raster", engine="torch")
    ```

    Attributes:
        order: one of the model's orders; None for its first.
        engine: `auto` takes the integer program where the model has one for images of this size (`quantize_integer`),
            `integer` needs one, `torch` computes in floating point, where the model is.
    """

    order: str | None
    engine: str


class BatchReader:
    """Levels and conditions of images `start .. stop`, for one model, and what scores them.

    Args:
        model: the model that reads the images.
        x: a data set, or levels `[n c h w]`. A data set has its own conditions, matched by name.
        label, text, further: conditions of levels, or in place of the data set's; see `ModelConditions.inputs`.
        seed: seed of dynamic binarisation.
        order, engine: see `QueryKwargs`.

    Attributes:
        model: the model.
        order: name of the order, as passed.
        count: number of images.
        height, width: size of an image.
        notes: notes on how the data set was read.

    Raises:
        ShapeError, DataError, ConfigError: if the images or conditions do not fit the model.

    Example:
        reader = BatchReader(model, data)
        x, inputs = reader.read(0, 64)
    """

    model: LikelihoodModel
    order: str | None
    count: int
    height: int
    width: int

    def __init__(
        self,
        model: LikelihoodModel,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        seed: int = 0,
        order: str | None = None,
        engine: str = "auto",
        **further: Unpack[ConditionKwargs],
    ) -> None:
        self.model, self._seed, self.order, self._engine = model, seed, order, engine
        self._data: ImageDataset | None = None
        self.notes: tuple[str, ...] = ()
        if isinstance(x, ImageDataset):
            check_spec(model, x)
            self._data, self._conditions, self.notes = x, dataset_conditions(model, x), x.notes
            self.count, self.height, self.width = len(x), x.spec.height, x.spec.width
        else:
            self._levels = _level_batch(model, x)
            self.count, _, self.height, self.width = self._levels.shape
        keywords = {name for name, value in {"label": label, "text": text, **further}.items() if value is not None}
        self._passed = {name for name, reader in model.conditions.readers.items() if reader.keyword in keywords}
        count = self.count if self._data is None or keywords else 0  # a map for every image would take memory
        self._inputs = model.conditions.inputs(label, count, text, size=(self.height, self.width), **further)
        if text is not None:
            from pointillist.model.vocabulary import literal_prompts

            literal_prompts(model, text, self.count)

    def open_scorer(self, batch_size: int) -> LikelihoodModel:
        """Return what scores the images, once a batch of them is known to fit in memory.

        Raises:
            ConfigError, EngineError, ShapeError: as `scorer_of`, and if they do not fit.
        """
        check_whole("batch_size", batch_size, 1)
        scorer = self.model.scorer(self._engine, (self.height, self.width))
        if scorer.engine == "torch":  # a program holds a few rows of the images
            from pointillist.model.memory import check_evaluation_memory

            model: Any = self.model
            check_evaluation_memory(model, min(batch_size, self.count), self.height, self.width)
        return scorer

    def read(self, start: int, stop: int) -> tuple[Int[np.ndarray, "b c h w"], ConditionInputs]:
        """Return levels of the model, and conditions of images `start .. stop`."""
        return self.read_at(np.arange(start, min(stop, self.count)))

    def read_at(self, index: Int[np.ndarray, " b"]) -> tuple[Int[np.ndarray, "b c h w"], ConditionInputs]:
        """Return levels and conditions as `read`, of the images with these numbers."""
        if self._data is None:
            return self.model.check_array(self._levels[index]), self._inputs[index]
        batch = self._data.batch(index, seed=self._seed)
        stored = self._conditions.from_batch(batch)
        passed = self._inputs[index] if self._passed else stored
        parts = {name: (passed if name in self._passed else stored).parts[name] for name in self._inputs.parts}
        return batch.levels, ConditionInputs(len(index), parts)


def check_spec(model: LikelihoodModel, data: ImageDataset) -> None:
    """Check that the integers of a data set mean the same as the model's, and that the model takes their size.

    Raises:
        DataError, ShapeError: naming what differs and the remedy.
    """
    check_kind(model, data)
    model.check_size(data.spec.height, data.spec.width)


def check_kind(model: LikelihoodModel, data: ImageDataset) -> None:
    """Check that the integers of a data set, of any size, mean the same as the model's.

    Raises:
        DataError: naming what differs and the remedy.
    """
    ours, theirs = model.image, data.spec
    for name, a, b in (
        ("channels", ours.channels, theirs.channels),
        ("levels", ours.levels, theirs.levels),
        ("ordered levels", *("yes" if spec.ordered else "no" for spec in (ours, theirs))),
        ("palette", ours.palette, theirs.palette),
        ("level names", ours.level_names, theirs.level_names or ours.level_names),
    ):
        if a != b:
            short = {"palette": "another palette than", "level names": "other names of levels than"}
            shown = f"{short[name]} the model" if name in short else f"{name}: {b} where the model has {a}"
            raise DataError(
                f"{data.name} has {shown}; read it as the model's own kind of image ({ours.mode}, "
                f"{counted(ours.channels, 'channel')}, {ours.levels:,} levels), in Python with "
                "`load_data(..., spec=model.image)`."
            )


def _level_batch(model: LikelihoodModel, x: Any) -> Shaped[np.ndarray, "n c h w"]:
    """Return the levels of pictures, or levels as an array; their values are not checked."""
    levels = model.image.level_array(x) if model.image.is_picture(x) else as_array(x)
    if not levels.size and levels.ndim == 1:
        raise DataError("There is no image to read: the list is empty.")
    if levels.ndim != 4:
        raise ShapeError(
            f"Levels of shape {levels.shape} must be (n, c, h, w): convert pictures with `model.to_levels`."
        )
    return levels


def select_images(model: LikelihoodModel, x: Any) -> tuple[str | None, ImageDataset | Shaped[np.ndarray, "n c h w"]]:
    """Return what `BatchReader` reads for a data set, splits, a source of `load_data`, levels or PIL images.

    Returns:
        The name of the split that was chosen, None where there was no choice; and a data set or levels.

    Raises:
        DataError, ConfigError: if a source cannot be read as images of the model.
    """
    if not (isinstance(x, (ImageDataset, DataSplits, Image.Image, np.ndarray, list, tuple)) or is_tensor(x)):
        named = isinstance(x, (str, Path)) and hasattr(model, "training_record")
        options = resolve_data_options(model, str(x), (), labels=True) if named else None  # as the commands do
        x = read_splits(model, x, options)
    if isinstance(x, DataSplits):
        return x.natural()
    return None, x if isinstance(x, ImageDataset) else _level_batch(model, x)


@dataclass(frozen=True)
class SingleImage:
    """An image that was read for a model.

    ```python
    read_image(model, "scan.png").notes  # ("scan.png: 50 of 784 pixels were brought to ..., by up to 13 of 255",)
    ```

    Attributes:
        levels: checked by the model.
        picture: pixels of the picture that was read; None for levels, and where the levels hold its colours.
        notes: sentences on what the levels do not hold, and on another scale.
    """

    levels: Int[np.ndarray, "1 c h w"]
    picture: UInt8[np.ndarray, "h w d"] | None = None
    notes: tuple[str, ...] = ()


def read_image(model: LikelihoodModel, image: Any) -> SingleImage:
    """Read one image, and log what changed: levels `[c h w]` or `[1 c h w]`, a picture, its path, or a map.

    An image that was read before is returned, without its notes.

    Raises:
        ShapeError: if there are several images, or one of another shape.
        DataError: if it is not an image, or cannot be read.

    Example:
        read_image(model, "scan.png").levels
    """
    if isinstance(image, SingleImage):
        return image
    read = describe_image(model, image)
    for sentence in read.notes:
        _log.warning(sentence)
    return read


def single_image(model: LikelihoodModel, image: Any) -> Int[np.ndarray, "1 c h w"]:
    """Read the levels of one image, checked; see `read_image`."""
    return read_image(model, image).levels


def describe_image(model: LikelihoodModel, image: Any) -> SingleImage:
    """Read one image as `read_image`, and log nothing."""
    name = str(image) if isinstance(image, (str, Path)) else "the picture"
    if isinstance(image, (str, Path)) and model.image.mode == "codes":
        maps = load_data(image, spec=model.image, classes=model.classes, tiles=model.tileset).get("all")
        if len(maps) != 1:
            raise several_images(len(maps))
        image = maps.batch([0]).levels
    elif isinstance(image, (str, Path)):
        image = read_picture(Path(image), str(image))
    if not _is_picture(model.image, image):
        return SingleImage(model.check_array(_levels(image)))
    levels = model.image.level_array(image)
    if len(levels) != 1:
        raise several_images(len(levels))
    colours = describe_colours(model.image, image, levels, name)
    picture = _pixels(image) if colours else None
    return SingleImage(model.check_array(levels), picture, (*colours, *_scale(model.image, levels, name)))


def describe_colours(spec: ImageSpec, picture: Any, levels: Int[np.ndarray, "1 c h w"], name: str) -> tuple[str, ...]:
    """Write a sentence on the pixels of a picture whose colours its levels do not hold; none if they hold all.

    ```python
    describe_colours(spec, picture, spec.level_array(picture), "a.png")  # ("a.png: 50 of 784 pixels were ...",)
    ```
    """
    if spec.is_deep:
        return ()
    pixels = _rgba(_pixels(picture))
    if spec.min_is_white:  # paper is transparent in files
        pixels = _rgba(composite_on_white(pixels.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0))
    changed = np.abs(pixels.astype(int) - _rgba(spec.to_images(levels)[0])).max(-1)
    if not changed.any():
        return ()
    return (
        f"{name}: {int((changed > 0).sum()):,} of {changed.size:,} pixels were brought to {_colours(spec)}, by up to "
        f"{int(changed.max())} of 255, as the model reads them",
    )


def several_images(count: int) -> ShapeError:
    """Make the error of a function of one image that is given another number of them."""
    return ShapeError(f"{count:,} images are given where one is needed: give one, (c, h, w).")


def _is_picture(spec: ImageSpec, image: Any) -> bool:
    """Return True for pictures; an array whose first axis has the channels of the model is levels `[c h w]`."""
    array = image if isinstance(image, np.ndarray) else None
    return spec.is_picture(image) and (array is None or array.ndim != 3 or array.shape[0] != spec.channels)


def _levels(image: Any) -> np.ndarray:
    if not isinstance(image, (list, tuple)) and not is_tensor(image) and not hasattr(image, "__array__"):
        raise DataError(f"A {type(image).__name__} is not an image: give levels (c, h, w), a picture, or its path.")
    x = as_array(image)
    x = x[None] if x.ndim == 3 else x
    if x.ndim == 4 and len(x) != 1:
        raise several_images(len(x))
    return x


def _pixels(image: Any) -> UInt8[np.ndarray, "h w d"]:
    """Return the pixels of a picture in channels that hold its colours."""
    if not isinstance(image, Image.Image):
        array = image[0] if isinstance(image, np.ndarray) and image.ndim == 4 else image
        return np.atleast_3d(np.asarray(array)) if isinstance(image, np.ndarray) else _pixels(image[0])
    grey = image.mode in ("1", "L") or image.mode.startswith("I")
    return picture_array(image, 4 if image.has_transparency_data else 1 if grey else 3)


def _rgba(pixels: UInt8[np.ndarray, "h w d"]) -> UInt8[np.ndarray, "h w 4"]:
    """Return pixels as RGBA; transparent ones have no colour."""
    rgba = to_channels(pixels.transpose(2, 0, 1)[None], 4)[0].transpose(1, 2, 0)
    return np.where(rgba[..., 3:] == 0, np.uint8(0), rgba)


def _colours(spec: ImageSpec) -> str:
    if spec.mode == "palette":
        more = f" (`--palette` of training, here {spec.levels}, takes up to 256)" * (spec.levels < 256)
        return f"the {counted(spec.levels, 'colour')} of the palette{more}"
    many = {"grey": "greys", "rgb": "levels of red, green and blue", "rgba": "levels of each channel"}
    return f"the {spec.levels} {many[spec.mode]}"


def _scale(spec: ImageSpec, levels: Int[np.ndarray, "1 c h w"], name: str) -> tuple[str, ...]:
    height, width = levels.shape[2:]
    if (height, width) == (spec.height, spec.width):
        return ()
    return (
        f"{name} is {height}x{width}, and the model was trained on {spec.height}x{spec.width}: it draws at the scale "
        "of its training images",
    )
