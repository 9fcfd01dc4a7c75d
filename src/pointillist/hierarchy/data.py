"""Data sets of the stages: images, the codes of each scale, and the codes as hints of what is finer."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pointillist.data import Annotations, Batch, DataSplits, ImageDataset, load_data
from pointillist.data.dataset import DataSource, Indices
from pointillist.errors import ConfigError, DataError
from pointillist.hierarchy.config import CODES, PIXELS, HierarchyRun, scale_names
from pointillist.hierarchy.tokenizers.fsq import FSQ
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.images import ImageSpec
from pointillist.images.array_types import Int, Shaped

ENCODED_AT_ONCE = 64
"""Most images that are encoded at once; fewer, if they have more pixels than 64x64."""


class HintedImages(ImageDataset):
    """Images with hints that are made of codes when a batch is read: hints of an entire data set would fill the memory.

    Args:
        images: the images.
        hint: kind of hint.
        grids: codes of each image by scale, `n 1 h w`, the finest first.
    """

    def __init__(self, images: ImageDataset, hint: CodeHint, grids: Sequence[np.ndarray]) -> None:
        vars(self).update(vars(images))
        self.annotations: Annotations = replace(images.annotations, hints=None, hint_spec=hint.image)
        self._hint, self._grids = hint, tuple(grids)

    def batch(self, indices: Indices, *, seed: int = 0, flip: bool = False) -> Batch:
        """Return the images at `indices` with their hints."""
        if flip:
            raise ConfigError("`flip` would mirror images but not their codes: leave it out.")
        result, index = super().batch(indices, seed=seed), self._checked(indices)
        grids = [torch.from_numpy(grid[index].astype(np.int64)) for grid in self._grids]
        return replace(result, hints=self._hint.of(grids, (self.spec.height, self.spec.width)).numpy())

    def subset(self, indices: Indices, name: str | None = None) -> ImageDataset:
        """Return the images at `indices`, with their hints."""
        index = self._checked(indices)
        return HintedImages(super().subset(indices, name), self._hint, [grid[index] for grid in self._grids])


@dataclass(frozen=True)
class Pyramid:
    """Images of a split with their codes.

    Attributes:
        images: the images; None where only codes are given.
        codes: data sets of the grids of codes with the annotations of the images, the finest first.
        hints: kind of hint that the codes of each scale, and all coarser ones, make.
    """

    images: ImageDataset | None
    codes: tuple[ImageDataset, ...]
    hints: tuple[CodeHint, ...]

    def __len__(self) -> int:
        return len(self.codes[0])

    def take(self, indices: Indices) -> Pyramid:
        """Return the images at `indices` with their codes."""
        images = None if self.images is None else self.images.subset(indices)
        return Pyramid(images, tuple(grid.subset(indices) for grid in self.codes), self.hints)

    @property
    def grids(self) -> list[np.ndarray]:
        """Codes of each image by scale, `n 1 h w`, the finest first."""
        return [_all_levels(codes) for codes in self.codes]

    def of_stage(self, stage: str, kinds: Collection[str] = ()) -> ImageDataset:
        """Return the data set of a stage, `codes` of a scale or `pixels`, conditioned on all coarser codes.

        Args:
            kinds: kinds of conditions that a stage below the coarsest codes takes in addition to the codes.
        """
        names = scale_names(CODES, len(self.codes))
        scale = -1 if stage == PIXELS else names.index(stage)
        target = self.images if stage == PIXELS else self.codes[scale]
        assert target is not None
        if scale == len(names) - 1:
            return target
        return HintedImages(_with_conditions(target, kinds), self.hints[scale + 1], self.grids[scale + 1 :])


def code_hints(tokenizers: Sequence[Tokenizer], codes: Sequence[ImageDataset]) -> tuple[CodeHint, ...]:
    """Return the kind of hint that the codes of each scale make."""
    specs = tuple(grid.spec for grid in codes)
    if tokenizers:
        return tuple(CodeHint(tokenizer.fsq, (tokenizer.codes,)) for tokenizer in tokenizers)
    return tuple(CodeHint(None, specs[scale:]) for scale in range(len(specs)))


def encoded(images: ImageDataset, tokenizers: Sequence[Tokenizer]) -> Pyramid:
    """Encode images scale by scale."""
    codes, finer = [], images
    for tokenizer in tokenizers:
        parts = []
        for index in chunks(finer):
            levels = finer.batch(index).levels
            parts.append(tokenizer.encode(torch.from_numpy(levels)).cpu().numpy().astype(np.uint16))
        grids = np.concatenate(parts) if parts else np.zeros((0, *tokenizer.codes.shape), np.uint16)
        height, width = grids.shape[2:]
        finer = ImageDataset(
            grids, tokenizer.codes.resized(height, width), labels=images.labels, texts=images.texts,
            classes=images.classes, source=DataSource(f"codes of {images.name}", files=images.files),
            annotations=replace(images.annotations, hints=None, hint_spec=None),
        )  # fmt: skip
        codes.append(finer)
    return Pyramid(images, tuple(codes), code_hints(tokenizers, codes))


def chunks(images: ImageDataset) -> Iterator[np.ndarray]:
    """Yield the indices of all images, as many at once as are encoded in little memory."""
    pixels = images.spec.height * images.spec.width
    size = max(1, min(ENCODED_AT_ONCE, ENCODED_AT_ONCE * 64 * 64 // pixels))
    for start in range(0, len(images), size):
        yield np.arange(start, min(start + size, len(images)))


def read_images(run: HierarchyRun) -> DataSplits:
    """Read the images of a run, with their mirror images in the training split where the run mirrors them.

    Raises:
        DataError: if they cannot be read, or there are none to train on.
    """
    splits = load_data(str(run.data.source), run.data.options)
    if splits.train is None:
        raise DataError(f"{run.data.source} has no training part: it has {', '.join(splits.names)} only.")
    return replace(splits, train=mirrored(splits.train)) if run.flip else splits


def read_codes(run: HierarchyRun) -> dict[str, Pyramid]:
    """Read the codes that a run brings, and its images where it has pixels, by split.

    Raises:
        DataError: if they cannot be read, or the scales do not belong to each other.
    """
    options = run.data.options
    read = [
        load_data(str(run.data.source), options.changed(npz_key=key, levels=levels, mode="codes", size=None))
        for key, levels in run.own
    ]
    images = None if run.pixels is None else read_images(run)
    result = {}
    for split in read[0].names:
        parts = [splits.get(split) for splits in read]
        pictures = None if images is None else images.get(split)
        for (key, _), part in zip(run.own, parts, strict=True):
            if len(part) != len(parts[0]) or (pictures is not None and len(pictures) != len(part)):
                raise DataError(f"{key!r} of {part.name} has {len(part):,} grids in {split}: give one for each image.")
            if part.spec.channels != 1 or part.spec.ordered:
                raise DataError(f"{key!r} of {part.name} must be grids (n, h, w) of codes, not {part.spec}.")
        result[split] = Pyramid(pictures, tuple(parts), code_hints((), parts))
    if "train" not in result:
        raise DataError(f"{run.data.source} has no training part: it has {', '.join(result)} only.")
    return result


def mirrored(images: ImageDataset) -> ImageDataset:
    """Return images followed by their mirror images."""
    levels = _all_levels(images)
    twice = np.tile(np.arange(len(images)), 2)
    return ImageDataset(
        np.concatenate([levels, levels[..., ::-1]]),
        images.spec,
        labels=None if images.labels is None else images.labels[twice],
        texts=None if images.texts is None else [images.texts[i] for i in twice],
        classes=images.classes,
        annotations=images.annotations.take(twice),
        source=DataSource(images.name, (*images.notes, "each image and its mirror image"), tileset=images.tileset),
    )


def _all_levels(images: ImageDataset) -> np.ndarray:
    """Return all levels of a data set, in the smallest type that holds them."""
    kind = np.uint8 if images.spec.levels <= 256 else np.uint16
    step = 4096
    parts = [images.batch(np.arange(i, min(i + step, len(images)))).levels for i in range(0, len(images), step)]
    return np.concatenate([part.astype(kind) for part in parts])


def _with_conditions(images: ImageDataset, kinds: Collection[str]) -> ImageDataset:
    """Keep the annotations of some kinds of conditions, and drop all others."""
    result, annotations = copy.copy(images), images.annotations
    if "label" not in kinds:
        result.labels, result.classes = None, ()
    if "text" not in kinds:
        result.texts = None
    keeps = "attributes" in kinds
    result.annotations = Annotations(
        annotations.attributes if keeps else {},
        annotations.values if keeps else {},
        annotations.vectors if "vector" in kinds else None,
    )
    return result


@dataclass(frozen=True)
class CodeHint:
    """The kind of hint that coarser grids of codes make for a finer grid.

    Codes of a tokenizer are vectors of floats, of the next coarser scale, which all coarser ones depend on. Codes of
    the user are unordered ids, of all coarser scales, a channel each.

    Attributes:
        fsq: quantiser of the codes; None for codes of the user.
        specs: kinds of the coarser grids, the finest first; only the first counts with a quantiser.
    """

    fsq: FSQ | None
    specs: tuple[ImageSpec, ...]

    @property
    def channels(self) -> int:
        """Channels of the hint."""
        return len(self.specs) if self.fsq is None else len(self.fsq.levels)

    @property
    def image(self) -> ImageSpec | None:
        """Meaning of the integers of the hint; None for floats."""
        if self.fsq is not None:
            return None
        first = self.specs[0]
        levels = max(spec.levels for spec in self.specs)
        return ImageSpec(
            channels=self.channels, height=first.height, width=first.width, levels=levels, ordered=False, mode="codes"
        )

    def of(self, grids: Sequence[Int[Tensor, "b 1 _ _"]], size: tuple[int, int]) -> Shaped[Tensor, "b d h w"]:
        """Make the hint of a size `(height, width)` from the coarser grids, the finest first."""
        if self.fsq is not None:
            return upsample(self.fsq.vectors(grids[0].cpu()), size)
        return torch.cat([upsample(grid.cpu(), size) for grid in grids], 1)


def upsample(grid: Shaped[Tensor, "b d _ _"], size: tuple[int, int]) -> Shaped[Tensor, "b d h w"]:
    """Enlarge a grid by nearest neighbour."""
    rows, columns = (torch.arange(new) * old // new for new, old in zip(size, grid.shape[2:], strict=True))
    return grid[:, :, rows][:, :, :, columns]
