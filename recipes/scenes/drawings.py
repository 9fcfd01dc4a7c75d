"""Drawings of the things of a scene: emoji of three artists, cropped, recoloured by hue, and brought to one palette.

    drawings = Drawings.read("emoji_sets32.npz")
    drawings["noto", "cat", "black"]  # palette indices [h w], -1 where it is transparent

The artists are Noto and Noto of 2013 (Google, Apache-2.0) and Fluent flat (Microsoft, MIT), as `emoji_sets32.npz` has
them. The table is drawn here: no artist has one. A drawing that an artist lacks is that of Noto.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ARTISTS = {"noto": "noto", "noto-v1": "noto-v1", "fluent": "fluent-emoji-flat"}
SIZE = 12  # pixels of the longer side of a thing
CLEAR = -1
OPAQUE = 110  # least alpha of a pixel that is drawn, after the drawing was shrunk

COLOURS = {
    "red": (0.0, 0.86, 0.90),
    "orange": (0.075, 0.90, 1.0),
    "yellow": (0.145, 0.80, 1.0),
    "green": (0.34, 0.72, 0.68),
    "blue": (0.60, 0.78, 0.90),
    "purple": (0.77, 0.62, 0.72),
    "pink": (0.92, 0.42, 1.0),
    "brown": (0.065, 0.60, 0.52),
    "white": (0.10, 0.02, 0.97),
    "black": (0.65, 0.15, 0.24),
}
"""Hue, saturation and value of each colour: those of the lit parts of a thing; its shading multiplies the value."""

THINGS = {
    "cat": "cat", "dog": "dog", "bird": "bird", "rabbit": "rabbit", "penguin": "penguin", "frog": "frog",
    "duck": "duck", "turtle": "turtle", "elephant": "elephant", "cow": "cow", "pig": "pig", "chick": "baby chick",
    "fish": "fish", "snail": "snail", "bear": "bear", "panda": "panda", "monkey": "monkey", "tiger": "tiger",
    "fox": "fox", "owl": "owl", "butterfly": "butterfly", "ladybug": "lady beetle", "octopus": "octopus",
    "crab": "crab", "robot": "robot", "ghost": "ghost", "ball": "soccer ball", "apple": "red apple",
    "banana": "banana", "strawberry": "strawberry", "mushroom": "mushroom", "cactus": "cactus",
    "sunflower": "sunflower", "star": "star", "heart": "yellow heart", "balloon": "balloon", "crown": "crown",
    "hat": "top hat", "guitar": "guitar", "cup": "hot beverage", "cake": "birthday cake", "book": "closed book",
}  # fmt: skip
"""Things that can be anywhere, and their names in the data set."""
RECOLOURED = ("cat", "dog", "bird", "rabbit", "butterfly", "star", "heart", "balloon", "hat", "cup", "book", "fish")
"""Things that occur in every colour; others only in that of their drawing."""
OWN_COLOURS = {
    "frog": "green", "turtle": "green", "pig": "pink", "chick": "yellow", "bear": "brown", "monkey": "brown",
    "tiger": "orange", "owl": "brown", "ladybug": "red", "crab": "red", "apple": "red", "banana": "yellow",
    "strawberry": "red", "cactus": "green", "sunflower": "yellow", "crown": "yellow", "ghost": "white",
}  # fmt: skip
"""Colours of drawings, where all artists agree."""


@dataclass(frozen=True)
class Ground:
    """Something that things are on, under, in front of or behind: its drawing, and where its seat is.

    Attributes:
        name: its name in the data set; None for the table.
        size: largest width and height.
        seat: height of what sits on it, as a share of its own.
        relations: what a thing can be to it.
    """

    name: str | None
    size: tuple[int, int]
    seat: float
    relations: tuple[str, ...]


GROUNDS = {
    "sofa": Ground("couch and lamp", (20, 13), 0.48, ("on", "in front of", "behind")),
    "bed": Ground("bed", (20, 12), 0.45, ("on", "in front of", "behind")),
    "chair": Ground("chair", (14, 18), 0.48, ("on",)),
    "table": Ground(None, (20, 17), 0.96, ("on", "under")),
    "car": Ground("automobile", (20, 12), 0.92, ("on", "in front of", "behind")),
    "box": Ground("package", (15, 15), 0.84, ("on", "in front of", "behind")),
    "boat": Ground("sailboat", (18, 19), 0.20, ("on",)),
    "house": Ground("house", (19, 19), 0.94, ("on", "in front of", "behind")),
    "tree": Ground("deciduous tree", (18, 22), 0.0, ("under", "behind")),
}
BESIDE = ("left of", "right of")
"""What every thing can be to every other."""

BACKGROUND = {
    "sky": (168, 214, 240), "night": (52, 60, 112), "cloud": (150, 164, 180), "rain": (112, 134, 164),
    "sun": (255, 214, 64), "moon": (250, 240, 196),
    "wall": (240, 228, 204), "floor": (190, 150, 110), "floor shadow": (150, 114, 82),
    "wall at night": (84, 80, 112), "floor at night": (88, 68, 72),
    "grass": (128, 190, 92), "grass shadow": (92, 150, 72), "grass at night": (44, 84, 72),
    "sea": (70, 150, 206), "sand": (238, 214, 150), "sand shadow": (204, 174, 112), "sand at night": (118, 106, 98),
    "snow": (242, 246, 250), "snow shadow": (196, 210, 228), "snow at night": (136, 148, 184),
    "road": (140, 142, 148), "road shadow": (104, 106, 114), "road at night": (62, 62, 80),
    "wall of a house": (206, 180, 168),
}  # fmt: skip
"""Colours of places, which the palette has as they are."""

DRAWN = bytes.fromhex(
    "f4983f 9858be 227725 302c32 fd5810 f795c1 ba1b1b d67ca7 bd6116 fb5f54 f4b98f 30aa36 f1dc58 "
    "2761b3 ed443b 38bde9 fd8270 abaa24 881515 8844b2 28912e 317ae1 d86d17 bc7d5d bcbbb9 7d822e "
    "fde95d fdb90e cc8725 bcd32a d5be2a 815441 42b648 dbdfde b7698c 6b358b a05831 e81f21 f77c18 "
)
"""Other colours of the palette, in RGB: centres of weighted k-means of the drawings of Noto."""
NUM_COLOURS = len(BACKGROUND) + len(DRAWN) // 3

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int16]


def data_file(name: str = "emoji_sets32.npz") -> Path:
    """Return a file of the folder of data: `POINTILLIST_DATA`, or `../shared/data` next to the project."""
    folder = os.environ.get("POINTILLIST_DATA")
    return (Path(folder) if folder else Path(__file__).parents[3] / "shared" / "data") / name


def to_hsv(rgb: Pixels) -> NDArray[np.float64]:
    """Convert RGB `[... 3]` to hue, saturation and value in [0, 1]."""
    x = rgb.astype(np.float64) / 255
    high, low = x.max(-1), x.min(-1)
    spread = np.maximum(high - low, 1e-9)
    r, g, b = np.moveaxis(x, -1, 0)
    sector = np.where(
        high == r, ((g - b) / spread) % 6, np.where(high == g, (b - r) / spread + 2, (r - g) / spread + 4)
    )
    return np.stack([sector / 6 % 1, np.where(high > 0, (high - low) / np.maximum(high, 1e-9), 0), high], -1)


def to_rgb(hsv: NDArray[np.float64]) -> Pixels:
    """Convert hue, saturation and value to RGB."""
    h, s, v = np.moveaxis(hsv, -1, 0)
    k = (np.array([5.0, 3.0, 1.0]) + h[..., None] * 6) % 6
    rgb = v[..., None] * (1 - s[..., None] * np.clip(np.minimum(k, 4 - k), 0, 1))
    return np.floor(255 * rgb + 0.5).clip(0, 255).astype(np.uint8)


def painted(name: str, hsv: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pixels of a drawing have its colour; others are wheels, windows, eyes, beaks, legs of beds."""
    h, s, v = np.moveaxis(hsv, -1, 0)
    if name == "car":
        return (s > 0.4) & (v > 0.3) & ~((h > 0.48) & (h < 0.58) & (v > 0.8))
    if name == "bed":
        return (s > 0.25) & (h > 0.1) & (v > 0.45)
    if name == "house":
        return (v > 0.7) & ((h < 0.17) | (h > 0.95))
    if name == "tree":
        return (h > 0.14) & (h < 0.45)
    if name == "boat":
        return (s > 0.25) & (v > 0.4)
    if name == "bird":
        return (v > 0.3) & ~((h > 0.03) & (h < 0.17) & (s > 0.3))
    if name == "cup":
        return (s < 0.35) & (v > 0.5)
    if name == "book":
        return (s > 0.3) & (v > 0.3)
    if name == "hat":
        return np.ones(h.shape, bool)
    return v > 0.3


def recolour(name: str, rgba: Pixels, colour: str) -> Pixels:
    """Paint a drawing in a colour, with its shading."""
    hsv = to_hsv(rgba[..., :3])
    rows = painted(name, hsv) & (rgba[..., 3] > 0)
    hue, saturation, value = COLOURS[colour]
    lit = float(np.quantile(hsv[rows, 2], 0.7))
    shade = (hsv[rows, 2] / lit).clip(0.5, 1.15)
    light = np.where((hsv[rows, 1] < 0.15) & (hsv[rows, 2] > 0.9 * lit), 0.8, 1.0)
    new = np.stack([np.full(len(shade), hue), saturation * light, (value * shade).clip(0, 1)], -1)
    result = rgba.copy()
    result[rows, :3] = to_rgb(new)
    return result


def cropped(rgba: Pixels) -> Pixels:
    """Cut the transparent border off."""
    rows, columns = (np.flatnonzero((rgba[..., 3] > 40).any(axis)) for axis in (1, 0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def without_lamp(artist: str, rgba: Pixels) -> Pixels:
    """Cut the lamp of "couch and lamp" off: its shade above the sofa, and its foot to the right of it."""
    top, left, right = {"noto": (15, 0, 32), "noto-v1": (10, 0, 28), "fluent": (15, 0, 25)}[artist]
    result = rgba.copy()
    result[:top] = 0
    result[:, :left] = 0
    result[:, right:] = 0
    if artist == "noto-v1":  # the pole stands in front of the last columns of the sofa
        pole = np.abs(result[..., 2].astype(int) - result[..., 0]) < 60
        result[:, 26:][pole[:, 26:]] = 0
    return result


def shrunk(rgba: Pixels, size: tuple[int, int]) -> Pixels:
    """Shrink a drawing to at most this width and height; pixels are then opaque or clear."""
    scale = min(size[0] / rgba.shape[1], size[1] / rgba.shape[0])
    sides = (max(1, round(rgba.shape[1] * scale)), max(1, round(rgba.shape[0] * scale)))
    result = np.array(Image.fromarray(rgba).resize(sides, Image.Resampling.LANCZOS))
    opaque = np.pad(result[..., 3] > OPAQUE, 1)
    around = sum(np.roll(opaque, (y, x), (0, 1)).astype(int) for y in (-1, 0, 1) for x in (-1, 0, 1))
    result[..., 3] = np.where(opaque & (around > 1), 255, 0)[1:-1, 1:-1]  # without single pixels: ends of strings
    return cropped(result)


def draw_table(size: tuple[int, int]) -> Pixels:
    """Draw a table: a top, an edge, two legs."""
    width, height = size
    result = np.zeros((height, width, 4), np.uint8)
    light, middle = (206, 146, 92, 255), (168, 112, 66, 255)
    result[:2], result[2:4, 1:-1] = light, middle
    result[4:, 1:3] = result[4:, -3:-1] = middle
    return result


class Drawings:
    """Drawings by artist, name and colour, as indices of one palette.

    Attributes:
        palette: RGB of each index, `uint8 [64 3]`.
    """

    def __init__(self, rgba: dict[tuple[str, str, str], Pixels]) -> None:
        self.palette = np.array([*BACKGROUND.values(), *zip(*[iter(DRAWN)] * 3, strict=True)], np.uint8)
        self._indices = {key: self._index(pixels) for key, pixels in rgba.items()}

    @classmethod
    def read(cls, path: Path | str | None = None) -> Drawings:
        """Read the emoji of the data set."""
        with np.load(path or data_file(), allow_pickle=False) as file:
            rgba, names, sets = (file[name] for name in ("rgba", "name", "set"))
        rows = {key: i for i, key in enumerate(zip(sets.tolist(), names.tolist(), strict=True))}

        def drawing(artist: str, name: str) -> Pixels:
            row = rows.get((ARTISTS[artist], name), rows.get((ARTISTS["noto"], name)))
            if row is None:
                raise KeyError(name)
            return np.asarray(rgba[row])

        result = {}
        for artist in ARTISTS:
            for thing, name in THINGS.items():
                colours = ("", *COLOURS) if thing in RECOLOURED else ("",)
                small = shrunk(cropped(drawing(artist, name)), (SIZE, SIZE))
                for colour in colours:
                    result[artist, thing, colour] = recolour(thing, small, colour) if colour else small
            for thing, ground in GROUNDS.items():
                small = draw_table(ground.size) if ground.name is None else ground_of(artist, thing, drawing)
                for colour in COLOURS:
                    result[artist, thing, colour] = recolour(thing, small, colour)
        return cls(result)

    def __getitem__(self, key: tuple[str, str, str]) -> Indices:
        return self._indices[key]

    def _index(self, rgba: Pixels) -> Indices:
        distances = ((rgba[..., None, :3].astype(int) - self.palette.astype(int)) ** 2 * WEIGHTS).sum(-1)
        return np.where(rgba[..., 3] > 0, distances.argmin(-1), CLEAR).astype(np.int16)

    def index(self, name: str) -> int:
        """Return the index of a colour of `BACKGROUND`."""
        return list(BACKGROUND).index(name)


def ground_of(artist: str, thing: str, drawing: object) -> Pixels:
    """Return the drawing of a ground, without what does not belong to it."""
    ground = GROUNDS[thing]
    assert callable(drawing)
    pixels: Pixels = drawing(artist, ground.name)
    if thing == "sofa":
        pixels = without_lamp(artist, pixels)
    if thing == "boat" and artist == "fluent":
        pixels = pixels[:26]  # the water
    if thing == "house" and artist == "fluent":
        pixels = pixels[:28]  # the lawn
    return shrunk(cropped(pixels), ground.size)


WEIGHTS = np.array([3, 6, 1])
"""Of red, green and blue in the distance of two colours."""
