"""Draw the tileset of the dungeons: a picture of 16x16 tiles, one for each level of `rules.py`, in their order.

    python recipes/zoo/dungeons/draw_tileset.py tileset.png

The drawings are ours, and dedicated to the public domain (CC0 1.0).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rules import LEVELS

SIDE = 16
COLOURS = {
    "a": "#0d0b14", "b": "#2b2836", "c": "#464255", "d": "#686378", "e": "#8f8a9c", "f": "#b9b4c0",  # stone
    "g": "#3a352f", "h": "#5a5045", "i": "#6d6153", "j": "#83755f",  # ground
    "k": "#3d2313", "l": "#6b3f1d", "m": "#93592a", "n": "#bd7f3e",  # wood
    "o": "#8a5a13", "p": "#d9a22b", "q": "#ffe07a", "r": "#fff6d0",  # gold
    "s": "#12325e", "t": "#1f5a94", "u": "#3a86c4", "v": "#8cc8ee",  # water
    "w": "#1e4a24", "x": "#33702f", "y": "#56983c", "z": "#8cc454",  # leaves
    "A": "#4a0f1f", "B": "#962037", "C": "#d8434c", "D": "#ffb0a0",  # monster
    "E": "#20303a", "F": "#7f97a6", "G": "#d7e5ec", "K": "#000000",  # iron, and black
}  # fmt: skip
Canvas = Image.Image


def tile(base: str) -> Canvas:
    """Begin a tile of one colour."""
    return Image.new("RGB", (SIDE, SIDE), COLOURS[base])


def paint(canvas: Canvas, rows: str, at: tuple[int, int] = (0, 0)) -> Canvas:
    """Paint rows of letters, each the name of a colour; a dot leaves what is there."""
    for y, line in enumerate(rows.split()):
        for x, letter in enumerate(line):
            if letter != ".":
                canvas.putpixel((at[0] + x, at[1] + y), _rgb(letter))
    return canvas


def _rgb(letter: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(COLOURS[letter][1:]))


def speckle(canvas: Canvas, letters: str, seed: int, count: int) -> Canvas:
    """Scatter single pixels."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        x, y = (int(n) for n in rng.integers(0, SIDE, 2))
        canvas.putpixel((x, y), _rgb(letters[int(rng.integers(len(letters)))]))
    return canvas


def outside() -> Canvas:
    """Darkness."""
    return tile("a")


def wall() -> Canvas:
    """Courses of stone, lit from above."""
    canvas = tile("b")
    draw = ImageDraw.Draw(canvas)
    for row, (top, shift) in enumerate(((0, 0), (4, 4), (8, 0), (12, 4))):
        for left in range(-8 + shift, SIDE, 8):
            draw.rectangle((left, top, left + 6, top + 2), fill=COLOURS["d" if (row + left // 8) % 3 else "c"])
            draw.line((left, top, left + 6, top), fill=COLOURS["e"])
    return canvas


def floor() -> Canvas:
    """Flagstones: quiet, since most of a map is floor."""
    canvas = speckle(tile("h"), "iig", 3, 18)
    draw = ImageDraw.Draw(canvas)
    draw.line((0, 15, 15, 15), fill=COLOURS["g"])
    draw.line((15, 0, 15, 15), fill=COLOURS["g"])
    draw.line((0, 0, 14, 0), fill=COLOURS["i"])
    draw.line((0, 0, 0, 14), fill=COLOURS["i"])
    return canvas


def door() -> Canvas:
    """Planks in a frame of stone."""
    canvas = floor()
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((1, 1, 14, 15), fill=COLOURS["k"])
    for left, colour in ((2, "m"), (5, "l"), (8, "m"), (11, "l")):
        draw.rectangle((left, 2, left + 2, 15), fill=COLOURS[colour])
        draw.line((left, 2, left, 15), fill=COLOURS["n" if colour == "m" else "m"])
    for top in (4, 12):
        draw.line((2, top, 13, top), fill=COLOURS["E"])
    draw.rectangle((11, 8, 12, 9), fill=COLOURS["q"])
    return canvas


def locked_door() -> Canvas:
    """The same door with an iron frame and a great lock."""
    canvas = door()
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((1, 1, 14, 15), outline=COLOURS["F"])
    for top in (4, 12):
        draw.line((1, top, 14, top), fill=COLOURS["F"])
    return paint(canvas, """
        ..oppo..
        .op..po.
        .op..po.
        oqqqqqqo
        oqqKKqqo
        opqKKqpo
        oppKKppo
        oooooooo""", (4, 4))  # fmt: skip


def key() -> Canvas:
    """A golden key on the floor."""
    return paint(floor(), """
        ....ooo.........
        ...oqrqo........
        ..oqo.oqo.......
        ..oqo.opo.......
        ..opo.opo.......
        ...opqpo........
        ....oqo.........
        ....oqo.........
        ....oqpqo.......
        ....oqpo........
        ....oqppqo......
        ....oqpoo.......
        .....oo.........""", (4, 1))  # fmt: skip


def stairs(up: bool) -> Canvas:
    """Steps that rise into light, or sink into the dark."""
    canvas = floor()
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((1, 1, 14, 14), fill=COLOURS["a"])
    shades = "cdefr" if up else "fedcb"
    for step in range(5):
        left = 2 + step * 12 // 5
        top = 10 - 2 * step if up else 2 + 2 * step
        draw.rectangle((left, top, left + 2, 13), fill=COLOURS[shades[step]])
        draw.line((left, top, left + 2, top), fill=COLOURS["r" if up else "f"])
    return canvas


def water() -> Canvas:
    """Waves that join at the edges of the tile."""
    canvas = tile("t")
    for y in range(SIDE):
        for x in range(SIDE):
            wave = math.sin(2 * math.pi * (x / 16 + (y // 4) * 0.37)) + 1.2
            if y % 4 == int(wave * 1.4) % 4:
                canvas.putpixel((x, y), _rgb("u"))
            elif (y + 1) % 4 == int(wave * 1.4) % 4 and x % 3:
                canvas.putpixel((x, y), _rgb("s"))
    paint(canvas, "vvv", (2, 3))
    return paint(canvas, "vv", (11, 10))


def grass() -> Canvas:
    """Tufts on dark green."""
    canvas = speckle(tile("x"), "wwy", 5, 44)
    for x, y in ((2, 3), (9, 1), (13, 6), (5, 9), (11, 12), (1, 13)):
        paint(canvas, "z.z yzy .y.", (min(x, 13), min(y, 13)))
    return canvas


def tree() -> Canvas:
    """A round crown with a shadow."""
    return paint(grass(), """
        .....wwwww......
        ...wwyyyyyww....
        ..wyyzzzyyyyw...
        .wyzzzzyyyyyxw..
        .wyzzyyyyyxyxw..
        wyyzyyyyyyyxxxw.
        wyyyyyxyyyxyxxw.
        wxyyyyyyyyxxxxw.
        .wxyxyyyxyxxxw..
        .wxxyxxyxxxxww..
        ..wwxxxxxxwww...
        ....wwwlmwww....
        ......klmk......
        ......klmk......
        .....kklmmk.....""", (0, 0))  # fmt: skip


def chest() -> Canvas:
    """A banded chest, closed."""
    return paint(floor(), """
        ..kkkkkkkkkk..
        .knnnnqnnnnnk.
        knmmmmpmmmmmmk
        kmmmmmpmmmmmlk
        kllllopollllkk
        kkkkoqqqokkkkk
        kmmmoqKqommmlk
        kmllloqolllllk
        kmmmmmpmmmmmlk
        klllllpllllllk
        .kkkkkkkkkkkk.""", (1, 3))  # fmt: skip


def monster() -> Canvas:
    """A horned imp that looks at you."""
    return paint(floor(), """
        .r..........r.
        .fr..AAAA..rf.
        ..fAABBBBAAf..
        ..ABCCCCCCBA..
        .ABCCDCCCCCBA.
        .ABCrrCCrrCBA.
        .ABCrKCCKrCBA.
        .ABCCCCCCCCBA.
        ..ABCKKKKCBA..
        ..ABCrKKrCBA..
        ...ABBCCBBA...
        ..ABABBBBABA..
        ..AA.ABBA.AA..
        .....AAAA.....""", (1, 1))  # fmt: skip


DRAWINGS: dict[str, Callable[[], Canvas]] = {
    "outside": outside, "wall": wall, "floor": floor, "door": door, "locked door": locked_door, "key": key,
    "stairs up": lambda: stairs(True), "stairs down": lambda: stairs(False), "water": water, "grass": grass,
    "tree": tree, "chest": chest, "monster": monster,
}  # fmt: skip


def draw_tileset() -> Image.Image:
    """Draw all tiles, in reading order, in a near-square picture."""
    columns = math.isqrt(len(LEVELS) - 1) + 1
    sheet = Image.new("RGB", (columns * SIDE, -(-len(LEVELS) // columns) * SIDE), COLOURS["a"])
    for number, name in enumerate(LEVELS):
        row, column = divmod(number, columns)
        sheet.paste(DRAWINGS[name](), (column * SIDE, row * SIDE))
    return sheet


if __name__ == "__main__":
    draw_tileset().save(Path(sys.argv[1]))
