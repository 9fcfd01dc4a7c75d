"""Parse the hint of the command line: given, or derived from an image by the model's own rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pointillist.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    import numpy as np

    from pointillist.conditioning import HintReader
    from pointillist.images import ImageSpec


@runtime_checkable
class HintTaker(Protocol):
    """A model that may take a hint.

    Attributes:
        image: kind of its images.
        hint_reader: what it takes as a hint; None for a model that takes none.
        training_record: how it was trained.
    """

    @property
    def image(self) -> ImageSpec: ...

    @property
    def hint_reader(self) -> HintReader | None: ...

    @property
    def training_record(self) -> dict[str, Any]: ...

    def check_levels(self, x: np.ndarray) -> np.ndarray:
        """Check that `x` is a batch of levels."""


def parse_hint(
    model: HintTaker, hint: Path | None, image: Path | None, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Parse the keyword `hint` of `sample`: a file, or derived from an image by the rule the model was trained with.

    Raises:
        ConfigError: if both are given, or the model has no such rule.
        DataError, ShapeError: if it cannot be read, or has another size.
    """
    from pointillist.commands.sampling.condition_files import read_conditions
    from pointillist.conditioning import hint_rule

    if image is None:
        return read_conditions([], None, hint)
    if hint is not None:
        raise ConfigError(f"`--hint-from-image` (={image}) derives what `--hint` (={hint}) gives: drop one of them.")
    rule = hint_rule(model.hint_reader)  # before the image, which does not matter to a model that takes no hint
    size = size or (model.image.height, model.image.width)
    return {"hint": rule.of(_levels_of(model, image, size), model.image)}


def _levels_of(model: HintTaker, path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read an image as training did, cropped and shrunk to `size`; levels of an .npy are taken as they are."""
    from pointillist.commands.sampling.condition_files import read_image, read_numbers
    from pointillist.data import load_data
    from pointillist.training.runs.data import resolve_data_options

    if path.suffix.lower() == ".npy":
        levels = read_numbers(path, "hint_from_image")
        levels = model.check_levels(levels[None] if levels.ndim == 3 else levels)
    else:
        picture = read_image(path, "hint_from_image")
        _check_no_smaller(path, (picture.height, picture.width), size)
        options = resolve_data_options(model, str(path), [], labels=False).changed(size=size)
        levels = load_data(path, options, spec=model.image).get("all").batch([0]).levels.numpy()
    _check_no_smaller(path, tuple(levels.shape[2:]), size)
    return levels


def _check_no_smaller(path: Path, result: tuple[int, ...], size: tuple[int, int]) -> None:
    """Reject an image that would have to be enlarged: its hint would be another than it looks like."""
    if result[0] < size[0] or result[1] < size[1]:
        raise ShapeError(
            f"`--hint-from-image` (={path}) is {result[0]}x{result[1]}, smaller than the images of "
            f"{size[0]}x{size[1]}: "
            "give a larger one, or the small image itself as `--hint`."
        )
