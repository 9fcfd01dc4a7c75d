"""Options of a data set, checked before a file is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from pointillist.errors import ConfigError, quote
from pointillist.files.settings_tree import FrozenSettings, split_names
from pointillist.files.suggestions import remedy
from pointillist.images import MAX_LEVELS

Number = TypeVar("Number", int, float)

ResizeMode = Literal["crop", "stretch", "pad", "require"]
Resample = Literal["auto", "area", "nearest", "bicubic", "lanczos"]
ReadMode = Literal["auto", "grey", "rgb", "rgba", "palette", "codes"]
Values = Literal["auto", "pictures", "levels"]
Binarise = Literal["none", "static", "dynamic"]


class DataOptions(FrozenSettings):
    """Options of `load_data`.

    ```python
    options = DataOptions(size=(32, 32), resize_mode="pad", palette=64, label_column="category")
    splits = load_data("tiles/", options)
    ```

    Attributes:
        size: size in pixels to which every image is resized: 32, 48x64 or (height, width); None keeps the common size
            of the images.
        window: size of windows of larger pictures: 64, 48x64 or (height, width). Training draws them afresh in each
            epoch, and strips of each picture are kept for validation and testing. None: each picture is an image.
        resize_mode: treatment of images of another size. `crop` scales to cover `size` and cuts out the centre, `pad`
            scales to fit inside and fills with zeros, `stretch` ignores the aspect ratio, `require` raises an error.
        resample: `area` averages the covered pixels (no ringing, no aliasing), `nearest` picks one (pixel art),
            `bicubic` and `lanczos` are sharper and overshoot; `auto` is `area`, but `nearest` for palettes and codes.
            RGBA is averaged with premultiplied alpha, so that transparent pixels lend no colour.
        mode: kind of image; `auto` is the smallest of grey, RGB and RGBA that can represent every image.
        palette: a number of colours (2 to 256) to learn from the training images, or a palette: a file (indexed PNG,
            GIF, `.gpl`, `.hex`, `.txt`) or a member of the same `.npz`. Implies mode `palette`.
        transparent_index: palette entry that is transparent, where the palette itself defines none.
        levels: number of values of a sub-pixel, 2 to 256 (65,536 for codes). None: 256 for pictures, 2 where every
            value of an array is 0 or 1, the largest value plus one for codes.
        ordered: False treats levels as categories (learned embedding). None: True for grey, RGB and RGBA, else False.
        values: meaning of an integer array: 8-bit `pictures` (0 to 255, quantised to `levels`) or `levels` (kept
            unchanged). `auto`: levels, if `levels` is given and every value is below it; pictures otherwise.
        binarise: `static` sets `value >= threshold`; `dynamic` draws each pixel with probability value/255, afresh
            whenever the seed of a batch changes. Both give 2 levels.
        threshold: 1 to 255, for static binarisation.
        labels: whether labels are read.
        label_column: metadata column, or member of an `.npz`, with labels; None for the usual names.
        caption_column: column or member with captions; None for the usual names. Several are joined by commas, as in
            `subcategory,name`. `filename` makes captions from file names, `path` from folder and file names.
        attribute_columns: columns or members with categories, such as hair colour; a tuple, or names with commas.
        vector_column: column or member with a vector of numbers for each image; `proportions` is the share of each
            level in the image, whatever the source.
        hint_column: member with an image for each image, `n h w [c]`, or a folder of files of the same names.
        level_names: names of the levels of a map: a legend (`.toml`, character = name), a member of the
            `.npz`, or names with commas. None: those that the files define.
        tileset: pictures of the tiles of a map, to store with the model and to read drawn maps: a PNG with a tile for
            each level in reading order, or a Tiled tileset (`.tsx`, `.tsj`).
        tile_size: size in pixels of a tile of a PNG tileset, such as 16x24; None for 16.
        outside: name of the level for what lies outside a map that is smaller than `size`, and for its empty cells.
        npz_key: member of an `.npz` to read, or its stem (`x` for `x_train`, `x_test`).
        valid_fraction, test_fraction: fraction in [0, 1) of the training images, or of a picture that is cut into
            windows, for a split that is missing. `test_fraction` None is 0, and 0.1 for windows.
        group_by: `text`, or a member of an `.npz`: images with the same value stay in the same split.
        seed: seed of the random split.
        skip_bad: skip (and count) images that cannot be read, instead of raising an error.

    Raises:
        ConfigError: if an option is unknown or has an invalid value.
    """

    what: ClassVar[str] = "an option of a data set"

    size: tuple[int, int] | None = None
    window: tuple[int, int] | None = None
    resize_mode: ResizeMode = "crop"
    resample: Resample = "auto"
    mode: ReadMode = "auto"
    palette: int | str | None = None
    transparent_index: int | None = None
    levels: int | None = None
    ordered: bool | None = None
    values: Values = "auto"
    binarise: Binarise = "none"
    threshold: int = Field(128, ge=1, le=255)
    labels: bool = True
    label_column: str | None = None
    caption_column: str | None = None
    attribute_columns: tuple[str, ...] = ()
    vector_column: str | None = None
    hint_column: str | None = None
    level_names: str | tuple[str, ...] | None = None
    tileset: str | None = None
    tile_size: tuple[int, int] | None = None
    outside: str = "outside"
    npz_key: str | None = None
    valid_fraction: float = Field(0.1, ge=0, lt=1)
    test_fraction: float | None = Field(None, ge=0, lt=1)
    group_by: str | None = None
    seed: int = Field(0, ge=0, lt=2**32)
    skip_bad: bool = False

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown(cls, options: Any) -> Any:
        for name in set(options) - cls.model_fields.keys():
            raise ConfigError(f"`{name}` is not {cls.what}: {remedy('load_data', name, tuple(cls.model_fields))}.")
        return options

    @field_validator("size", "window", "tile_size", mode="before")
    @classmethod
    def _parse_size(cls, size: Any) -> Any:
        return None if size is None else parse_size(size)

    @field_validator("attribute_columns", mode="before")
    @classmethod
    def _listed(cls, names: Any) -> Any:
        """Accept `"hair,eyes"` for `["hair", "eyes"]`."""
        return split_names("attribute_columns", names) if isinstance(names, str) else names

    @model_validator(mode="after")
    def _check(self) -> DataOptions:
        if problem := self._problem():
            raise ConfigError(problem)
        return self

    def _problem(self) -> str | None:
        total = self.valid_fraction + (self.test_fraction or 0.0)
        if total >= 1:
            return f"`valid_fraction` + `test_fraction` (={total:g}) must stay below 1: leave images to train on."
        most = MAX_LEVELS if self.mode in ("codes", "auto") else 256
        if self.levels is not None and not 2 <= self.levels <= most:
            return f"`levels` (={self.levels}) must lie in 2 to {most:,} for mode {self.mode!r}: choose another."
        if isinstance(self.palette, int) and not 2 <= self.palette <= 256:
            return f"`palette` (={self.palette}) must be 2 to 256 colours, or a palette file."
        if self.palette is not None and self.mode not in ("auto", "palette"):
            return f"`palette` (={self.palette!r}) goes with mode 'palette', not {self.mode!r}: drop one of the two."
        if self.binarise == "none":
            return None
        if self.mode in ("palette", "codes") or self.palette is not None:
            return f"`binarise` (={self.binarise!r}) needs grey or RGB intensities: drop it for palettes and codes."
        if self.levels not in (None, 2):
            return f"`levels` (={self.levels}) must be 2 (or left out) with `binarise` {self.binarise!r}."
        return None

    @property
    def caption_columns(self) -> tuple[str, ...]:
        return split_names("caption_column", self.caption_column) if self.caption_column else ()

    def changed(self, **overrides: Any) -> DataOptions:
        """Return a copy with some options replaced, checked again.

        DataOptions(levels=4).changed(size=(8, 8))

        Raises:
            ConfigError: if an option is unknown or has an invalid value.
        """
        return DataOptions(**{**self.model_dump(), **overrides}) if overrides else self


def parse_pair(name: str, text: str, kind: Callable[[str], Number], rule: str) -> tuple[Number, Number]:
    """Parse two numbers with a comma between them.

    ```python
    parse_pair("at", "16,16", int, "R,C, for example 16,16: a row and a column")  # (16, 16)
    ```

    Raises:
        ConfigError: naming the setting, its value and the rule.
    """
    try:
        first, second = map(kind, text.split(","))
    except ValueError:
        raise ConfigError(f"`{name}` (={quote(text)}) must be {rule}.") from None
    return first, second


def parse_size(value: int | str | Sequence[int]) -> tuple[int, int]:
    """Parse a size in pixels: 32 or `"32"` to `(32, 32)`, `(48, 64)` or `"48x64"` (height x width) to `(48, 64)`.

    ```python
    parse_size("48x64")  # (48, 64)
    ```

    Raises:
        ConfigError: if `value` is not a size.
    """
    text = value if isinstance(value, str) else "x".join(map(str, value)) if isinstance(value, Sequence) else f"{value}"
    match = re.fullmatch(r"\s*([1-9]\d{0,6})(?:\s*[x×X]\s*([1-9]\d{0,6}))?\s*", text)
    if match is None:
        raise ConfigError(f"`size` (={value!r}) must be a number or HEIGHTxWIDTH in pixels, for example 32 or 48x64.")
    height = int(match[1])
    return height, int(match[2]) if match[2] else height
