"""Images as grids of integer levels: their meaning, and conversion from and to pictures of 8 or 16 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import ConfigDict, model_serializer, model_validator

from pointillist.errors import ConfigError, DataError, ShapeError, check_whole, counted, quote
from pointillist.files.reading import MAX_NAME, check_texts
from pointillist.files.settings_tree import WordedSettings
from pointillist.images.array_types import Int, UInt8
from pointillist.images.pictures import OPAQUE, as_pil, clean_alpha, dequantise, nearest_colour, picture_array, quantise

if TYPE_CHECKING:
    from torch import Tensor

Mode = Literal["grey", "rgb", "rgba", "palette", "codes"]
CHANNELS: dict[str, int] = {"grey": 1, "rgb": 3, "rgba": 4, "palette": 1}
MODE_OF_CHANNELS: dict[int, Mode] = {1: "grey", 3: "rgb", 4: "rgba"}
MAX_LEVELS = 65_536
MAX_SIDE = 65_536  # of an image that is trained on or sampled
SHEET = "pointillist-sheet"  # entry of a PNG file that shows several images, or one enlarged: what is on it


class ImageSpec(WordedSettings):
    """The shape of an image, and the meaning of its integers.

    Attributes:
        channels, height, width: shape of the grid, `c h w`.
        levels: number of values of a sub-pixel, 2 to 65,536; more than 256 (8 bits) for `codes` only.
        ordered: whether a level is a quantity (grey, RGB) or a name (palette index, tile, code).
        mode: `grey`, `rgb`, `rgba`, `palette` or `codes` (a grid of integers that is not a picture by itself).
        palette: RGBA colour of each level, for `palette` only.
        level_names: name of each level, for `codes` only, such as the kinds of cell of a map; None for none.
        min_is_white: whether level 0 is white paper and the greatest black ink, for `grey` only: TIFF's WhiteIsZero.

    Example:
        ```python
        image = ImageSpec.infer((3, 32, 32))
        image.mode, image.dims  # ("rgb", 3072)
        ```
    """

    what: ClassVar[str] = "a kind of image"
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    channels: int
    height: int
    width: int
    levels: int = 256
    ordered: bool = True
    mode: Mode = "codes"
    palette: tuple[tuple[int, int, int, int], ...] | None = None
    level_names: tuple[str, ...] | None = None
    min_is_white: bool = False

    @model_validator(mode="after")
    def _check(self) -> ImageSpec:
        if min(self.channels, self.height, self.width) < 1:
            raise ConfigError(f"`shape` (={self.shape}) must have positive channels, height and width.")
        if not 2 <= self.levels <= MAX_LEVELS:
            raise ConfigError(f"`levels` (={self.levels}) must lie in 2 to {MAX_LEVELS:,}: give the number of values.")
        if self.mode in CHANNELS and self.channels != CHANNELS[self.mode]:
            raise ConfigError(
                f"`mode` {self.mode!r} has {counted(CHANNELS[self.mode], 'channel')}, not {self.channels}: change one."
            )
        if self.mode in MODE_OF_CHANNELS.values() and self.levels > 256:
            raise ConfigError(
                f"`levels` (={self.levels}) must be at most 256 for {self.mode} pictures: use mode 'codes'."
            )
        if self.mode == "palette" and (self.palette is None or len(self.palette) != self.levels or self.ordered):
            raise ConfigError(f"A palette image needs one RGBA colour for each of its {self.levels} unordered levels.")
        if self.min_is_white and self.mode != "grey":
            raise ConfigError(f"`min_is_white` (=True) is for grey pictures, and these are {self.mode}: leave it out.")
        if self.level_names is not None:
            self._check_names(self.level_names)
        return self

    @model_serializer(mode="wrap")
    def _leave_out_default(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave `min_is_white` out where it is False: fingerprints cover the settings of models older than it."""
        return {name: value for name, value in dump(self).items() if value or name != "min_is_white"}

    def _check_names(self, names: tuple[str, ...]) -> None:
        check_texts(names, "A name in `level_names`", MAX_NAME)
        distinct = len({*names, ""}) == len(names) + 1 and all(map(str.isprintable, names))
        if self.mode != "codes" or self.ordered or len(names) != self.levels or not distinct:
            raise ConfigError(
                f"`level_names` (={len(names):,} names) must be {self.levels:,} different names that print, one each, "
                "and go with unordered levels of mode 'codes': correct or leave them out."
            )

    def __str__(self) -> str:
        order = "" if self.ordered else " unordered"
        channels = "" if self.mode in CHANNELS else f", {counted(self.channels, 'channel')}"
        return f"{self.mode} {self.height}x{self.width}{channels}, {self.levels:,}{order} levels"

    def __repr__(self) -> str:
        return f"ImageSpec({self})"

    @classmethod
    def infer(cls, shape: Sequence[int], levels: int = 256, ordered: bool = True) -> ImageSpec:
        """Infer the mode from a shape `(c, h, w)`: 1, 3, 4 ordered channels are grey, RGB, RGBA, all else is codes.

        Raises:
            ConfigError: if the shape does not have three positive sides.
        """
        try:
            c, h, w = shape
        except (TypeError, ValueError) as error:
            rule = "must be (channels, height, width), for example (1, 28, 28)"
            raise ConfigError(f"`shape` (={quote(shape)}) {rule}.") from error
        c, h, w = (check_whole("shape", n, 1) for n in (c, h, w))
        check_whole("levels", levels, 2, MAX_LEVELS)
        mode = MODE_OF_CHANNELS.get(c, "codes") if ordered and levels <= 256 else "codes"
        return cls(channels=c, height=h, width=w, levels=levels, ordered=ordered, mode=mode)

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)`."""
        return self.channels, self.height, self.width

    @property
    def dims(self) -> int:
        """Number of sub-pixels: the divisor of bits per dimension."""
        return self.channels * self.height * self.width

    @property
    def is_deep(self) -> bool:
        """True for ordered codes of one channel and more than 8 bits: a grey picture of 16 bits, such as a scan."""
        return self.levels > 256 and self.ordered and self.channels == 1

    @property
    def is_displayable(self) -> bool:
        """True if a picture can show the levels; other codes of more than 256 levels need a tileset or a decoder."""
        return self.levels <= 256 or self.is_deep

    @property
    def values(self) -> UInt8[np.ndarray, " levels"]:
        """8-bit value with which each level of a channel is shown, for `grey`, `rgb` and `rgba`."""
        values = dequantise(np.arange(self.levels), self.levels)
        return 255 - values if self.min_is_white else values

    def resized(self, height: int, width: int) -> ImageSpec:
        """Return the same kind of image with another height and width."""
        return self.model_copy(update={"height": height, "width": width})

    def recoloured(self, palette: Sequence[Sequence[int]]) -> ImageSpec:
        """Replace the palette; transparent levels stay transparent.

        Args:
            palette: an RGB or RGBA colour for each level, 0 to 255.

        Raises:
            ConfigError: if the image has no palette, or there are too few colours.
        """
        if self.palette is None:
            raise ConfigError(f"`palette` cannot recolour {self.mode} images: it takes a model of palette images.")
        if len(palette) < self.levels:
            raise ConfigError(f"`palette` (={len(palette)} colours) must have {self.levels}, one for each level.")
        pairs = zip(self.palette, palette, strict=False)
        mixed = tuple((*(int(c) for c in new[:3]), 255) if old[3] >= OPAQUE else old for old, new in pairs)
        return ImageSpec(**{**self.model_dump(), "palette": mixed})

    def check_site(
        self, row: int, column: int, channel: int | None = None, size: tuple[int, int] | None = None
    ) -> tuple[int, int, int]:
        """Return row, column and channel of a sub-pixel of an image; without a channel, the last.

        Args:
            size: height and width of the image, if others than here.

        Raises:
            ConfigError: if it is not in the image.
        """
        height, width = size or (self.height, self.width)
        channel = self.channels - 1 if channel is None else channel
        site, counts = (row, column, channel), (height, width, self.channels)
        for what, value, count in zip(("row", "column", "channel"), site, counts, strict=True):
            if not (isinstance(value, (int, np.integer)) and 0 <= value < count):
                allowed = f"0 to {count - 1}" if count > 1 else "0"
                raise ConfigError(
                    f"`{what}` (={quote(value)}) lies outside the image of {height} x {width} with "
                    f"{counted(self.channels, 'channel')}: counting starts at 0, so give {allowed}."
                )
        return site

    def to_levels(self, images: Any) -> Int[Tensor, "b c h w"]:
        """Convert pictures to levels; see `level_array` for what they may be, and the errors."""
        import torch

        return torch.from_numpy(self.level_array(images))

    def level_array(self, images: Any) -> Int[np.ndarray, "b c h w"]:
        """Convert pictures to levels, without torch.

        Args:
            images: uint8 arrays `n h w [c]`, one array `h w [c]`, a PIL image, or a list of PIL images. Other channels
                than the image's are converted, as when a file is read. Of more than 256 levels, uint16 as well; the
                values are the levels.

        Raises:
            DataError: if the pictures have another mode, channel count or dtype.
            ShapeError: if they do not all have one size.
        """
        if self.is_deep:
            return _deep_levels(images, self)
        array = _as_uint8(images, self)
        if self.mode == "palette":
            return nearest_colour(array, self.palette or ())[:, None]
        array = 255 - array if self.min_is_white else array
        return quantise(array, self.levels).transpose(0, 3, 1, 2).astype(np.int64)

    def is_picture(self, x: Any) -> bool:
        """Return True for pictures: PIL images, and uint8 arrays of a shape that levels `n c h w` do not have.

        ```python
        ImageSpec.infer((1, 28, 28)).is_picture(np.zeros((28, 28), np.uint8))  # True
        ```
        """
        if pil_images(x):
            return True
        if not isinstance(x, np.ndarray) or (self.mode == "codes" and not self.is_deep):
            return False
        if self.is_deep:
            return x.dtype in (np.uint8, np.uint16) and x.ndim == 2
        channels_last = x.ndim == 4 and x.shape[1] != self.channels and x.shape[3] in (1, 3, 4)
        return x.dtype == np.uint8 and (x.ndim in (2, 3) or channels_last)

    def to_images(self, levels: Int[Tensor, "b c h w"] | np.ndarray) -> np.ndarray:
        """Convert levels to uint8 pictures `n h w c` (RGBA for palette images); `to_levels` inverts it.

        More than 256 ordered levels of one channel are pictures of 16 bits: uint16, the levels themselves. To show
        them, see `to_picture`.

        Raises:
            ShapeError: if `levels` is not a batch with the channels of the image.
            ConfigError: for other codes of more than 256 levels, which no picture can hold.
        """
        x = np.asarray(levels)
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ShapeError(f"Levels of shape {x.shape} must be (n, {self.channels}, h, w).")
        if self.mode == "palette":
            colours: np.ndarray = np.asarray(self.palette, np.uint8)[x[:, 0]]
            return colours
        if self.is_deep:
            return x.astype(np.uint16).transpose(0, 2, 3, 1)
        if not self.is_displayable:
            raise ConfigError(
                f"Codes with {self.levels:,} levels are not a picture: decode them with the model they come from."
            )
        pictures = dequantise(x, self.levels).transpose(0, 2, 3, 1)
        return 255 - pictures if self.min_is_white else pictures

    def to_pil(self, levels: Int[Tensor, "b c h w"] | np.ndarray) -> list[Image.Image]:
        """Convert levels to PIL images; the first channel represents codes with several channels."""
        return [as_pil(a) for a in self.to_images(levels)]

    def to_files(self, levels: Int[Tensor, "b c h w"] | np.ndarray) -> list[Image.Image]:
        """Convert levels to PIL images as files hold them; `to_levels` inverts it.

        Where a level is a colour, the picture is indexed, and its indexes are the levels. Where level 0 is white paper,
        so it is too, and paper is transparent: colours of black whose opacity is the ink.
        """
        x = np.asarray(levels)
        if self.mode != "palette" and not self.min_is_white:
            return self.to_pil(x)
        ink = dequantise(np.arange(self.levels), self.levels)
        colours = np.pad(ink[:, None], ((0, 0), (3, 0))) if self.palette is None else np.asarray(self.palette, np.uint8)
        out = [Image.fromarray(index) for index in x[:, 0].astype(np.uint8)]
        for picture in out:
            picture.putpalette(colours[:, :3].tobytes(), "RGB")
            if (colours[:, 3] < 255).any():
                picture.info["transparency"] = colours[:, 3].tobytes()
        return out


def pil_images(images: Any) -> list[Image.Image]:
    """Return one or several PIL images as a list; an empty one for anything else."""
    each = images if isinstance(images, (list, tuple)) else [images]
    return list(each) if each and isinstance(each[0], Image.Image) else []


def _stacked(pictures: Sequence[Image.Image], read: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    sizes = {picture.size for picture in pictures}
    if len(sizes) > 1:
        raise ShapeError(f"Images of sizes {sorted(sizes)[:2]} cannot form one batch: resize them to one size first.")
    return np.stack([read(picture) for picture in pictures])


def _as_uint8(images: Any, spec: ImageSpec) -> np.ndarray:
    """Convert arrays and PIL images to uint8 `n h w c` with the channels of `spec` (RGBA for palette images)."""
    channels = 4 if spec.mode == "palette" else spec.channels
    if pictures := pil_images(images):
        if spec.mode == "codes":
            raise DataError("A grid of codes cannot be read from a picture: pass integers in [0, levels) instead.")
        images = _stacked(pictures, lambda picture: picture_array(picture, channels))
    array = np.asarray(images)
    if array.dtype != np.uint8:
        raise DataError(f"Pictures must be uint8 (0 to 255), not {array.dtype}: convert them, or pass levels directly.")
    # a last axis of 3 or 4 is colour, unless the images themselves are that narrow
    colour = array.ndim == 3 and array.shape[-1] in (3, 4) and (channels > 1 or array.shape[-1] != spec.width)
    if array.ndim == 2 or colour:
        array = array[None]
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[-1] != channels and array.shape[-1] in MODE_OF_CHANNELS and len(array):
        array = np.stack([picture_array(as_pil(picture), channels) for picture in array])
    if array.ndim != 4 or array.shape[-1] != channels:
        raise DataError(f"Pictures of shape {array.shape} must be (n, h, w, {channels}) for a {spec.mode} model.")
    return clean_alpha(array) if spec.mode == "rgba" else array


def _deep_levels(images: Any, spec: ImageSpec) -> Int[np.ndarray, "n 1 h w"]:
    """Read grey pictures of 8 or 16 bits, whose values are levels."""
    if pictures := pil_images(images):
        wrong = next((i.mode for i in pictures if i.mode not in ("L", "I;16", "I;16L", "I;16B", "I;16N")), None)
        if wrong is not None:
            raise DataError(
                f"A picture of mode {wrong} is not grey of 8 or 16 bits, as a {spec} model needs: convert it."
            )
        images = _stacked(pictures, np.asarray)
    array = np.asarray(images)
    array = array[None] if array.ndim == 2 else array
    array = array[..., None] if array.ndim == 3 else array
    if array.dtype not in (np.uint8, np.uint16) or array.ndim != 4 or array.shape[-1] != 1:
        raise DataError(
            f"Pictures of shape {array.shape} and type {array.dtype} must be uint8 or uint16 (n, h, w, 1) for a {spec} "
            "model: convert them, or pass levels directly."
        )
    if array.size and int(array.max()) >= spec.levels:
        raise DataError(
            f"A picture has the value {array.max():,}, and the {spec.levels:,} levels of the model end below it."
        )
    return array.transpose(0, 3, 1, 2).astype(np.int64)


_CHANNEL_NAMES = {"grey": ("",), "rgb": ("red", "green", "blue"), "rgba": ("red", "green", "blue", "alpha")}


def channel_names(spec: ImageSpec) -> tuple[str, ...]:
    """Names of the channels for labels; an empty name if there is only one."""
    numbered = ("",) if spec.channels == 1 else tuple(f"channel {c}" for c in range(spec.channels))
    return _CHANNEL_NAMES.get(spec.mode, numbered)


def to_picture(image: ImageSpec, levels: Int[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w d"]:
    """Convert levels to the 8-bit pixels with which an image is shown, wherever it is.

    Codes of more than 256 levels become greys of their first channel, from the least level of this image, which is
    black, to its greatest: a scan seldom uses the full range of 16 bits.

    ```python
    to_picture(ImageSpec.infer((1, 1, 3), 65_536), np.array([[[900, 1000, 1100]]]))  # 0, 128 and 255
    ```
    """
    if image.levels > 256:
        first = np.asarray(levels[0], np.int64)
        low, span = int(first.min()), max(1, int(first.max() - first.min()))
        return (((first - low) * 510 + span) // (2 * span)).astype(np.uint8)[..., None]
    picture: np.ndarray = image.to_images(levels[None])[0]
    return picture


def to_pictures(image: ImageSpec, levels: Int[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n h w d"]:
    """Convert levels to the 8-bit pixels with which images are shown, one scale each; see `to_picture`.

    Raises:
        ConfigError: for unordered codes of more than 256 levels, whose greys would mean nothing.
    """
    pictures: np.ndarray = image.to_images(levels)
    if not image.is_deep:
        return pictures
    return (
        np.stack([to_picture(image, x[..., 0][None]) for x in pictures]) if len(pictures) else pictures.astype(np.uint8)
    )
