"""Generate dungeon maps: rooms, caves and mazes behind doors, some of them locked, with a key that is found first.

    python recipes/zoo/dungeons/generate.py dungeons.npz --train 16000 --valid 500 --test 1000
    python recipes/zoo/dungeons/generate.py windows.npz --train 12000 --windows 12000 --valid 500 --test 1000

Map `i` of a seed depends on (seed, i) alone. Every map obeys the rules of `rules.py`. The archive has levels `x`, their
`level_names`, the `kind` of each map, its `split`, and a label, its `extent`: empty for a whole map, `window` for a
window that was cut out of a map of 112x112, away from its border. With `--captions` each whole map has a `caption`,
such as "a cave with two rooms and one pond".
"""

from __future__ import annotations

import argparse
import re
import zlib

import numpy as np

from rules import (
    CHEST,
    DOOR,
    DOWN,
    FLOOR,
    GRASS,
    KEY,
    LEVELS,
    LOCKED,
    MONSTER,
    OUTSIDE,
    TREE,
    UP,
    WALL,
    WATER,
    counts,
    dilate,
    faults,
    flood,
    is_walkable,
)

PLACES = {"rooms": "a dungeon", "caves": "a cave", "mazes": "a maze", "mixed": "a ruin"}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
KINDS = {"rooms": (1.0, 0.0, 0.0), "caves": (0.15, 0.85, 0.0), "mazes": (0.3, 0.0, 0.7), "mixed": (0.5, 0.25, 0.25)}
"""Shares of rooms, caves and mazes among the areas of each kind of map."""
LARGE, EDGE = 112, 6
"""Side of the maps that windows are cut from, and cells between a window and their border, at least."""
SMALLEST = 7  # side of an area, which holds a room and the walls around it
Generator = np.random.Generator
Area = tuple[int, int, int, int]  # first row and column, height and width


def generate(seed: int, index: int, size: tuple[int, int] = (32, 32)) -> tuple[np.ndarray, str]:
    """Generate a map: its levels `[h w]`, uint8, and its kind."""
    rng = np.random.default_rng((seed, index))
    kind = list(KINDS)[rng.integers(len(KINDS))]
    return _valid(rng, kind, size, 0.4), kind


def windows(seed: int, index: int, side: int) -> np.ndarray:
    """Cut windows `[n side side]` that do not overlap out of a map that fills its grid, at an offset of its own."""
    rng = np.random.default_rng((seed, 1, index))
    large = _valid(rng, "mixed", (LARGE, LARGE), 0.0)
    count = (LARGE - 2 * EDGE) // side
    top, left = rng.integers(EDGE, LARGE - EDGE - count * side + 1, 2)
    inside = large[top : top + count * side, left : left + count * side]
    return inside.reshape(count, side, count, side).swapaxes(1, 2).reshape(-1, side, side)


def caption(levels: np.ndarray, kind: str, rng: Generator, held_out: bool) -> str:
    """Write a caption of a map: its kind, and some of the counts of `rules.py` that are at most six, in any order.

    One in eight sets of a kind and counts is held out: only they, or all others, are written; "" if there is none.
    """
    counted = {name: count for name, count in counts(levels).items() if count < len(NUMBERS)}
    for _ in range(64):
        said = [name for name, count in counted.items() if rng.random() < (0.6 if count else 0.25)]
        facts = [f"{NUMBERS[counted[name]]} {name}{'s' * (counted[name] != 1)}" for name in said]
        if facts and held_out == (zlib.crc32(" ".join([kind, *facts]).encode()) % 8 == 0):
            first = [str(fact) for fact in rng.permutation(facts)]
            last = first.pop()
            return f"{PLACES[kind]} with {', '.join(first)}{' and ' * bool(first)}{last}"
    return ""


def counts_of(text: str) -> dict[str, int]:
    """Read the counts that a caption says."""
    pattern = rf"({'|'.join(NUMBERS)}) ([a-z ]*?[a-rt-z])s?\b(?=,| and |$)"
    return {name: NUMBERS.index(number) for number, name in re.findall(pattern, text)}


def _valid(rng: Generator, kind: str, size: tuple[int, int], smaller: float) -> np.ndarray:
    """Draw maps until one obeys the rules; a share of them, `smaller`, is smaller than its grid."""
    while True:
        levels = _attempt(rng, kind, size, smaller)
        if levels is not None and not faults(levels):
            return levels


def _attempt(rng: Generator, kind: str, size: tuple[int, int], smaller: float) -> np.ndarray | None:
    height, width = size
    shape = ("room", "cave", "maze")
    # the map may be smaller than its grid: the rest is outside
    h, w = (int(n - rng.integers(0, max(1, n // 3)) if rng.random() < smaller else n) for n in size)
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    areas = _split(rng, (top, left, h, w), 18 if kind == "caves" else 13)
    opened, indoors = np.zeros(size, bool), np.zeros(size, bool)
    wild = np.zeros(size, bool)
    parts = []
    for area in areas:
        what = shape[rng.choice(3, p=KINDS[kind])]
        if len(areas) > 3 and rng.random() < 0.1:
            continue
        part = {"room": _room, "cave": _cave, "maze": _maze}[what](rng, area, size)
        if part.sum() < 6:
            continue
        opened |= part
        indoors |= part if what != "cave" else False
        wild |= part if what == "cave" else False
        parts.append(part)
    if len(parts) < 2:
        return None
    corridors = _connect(rng, parts, size) & ~opened
    opened |= corridors
    levels = np.where(opened, FLOOR, np.where(dilate(opened), WALL, OUTSIDE)).astype(np.uint8)
    _set_doors(rng, levels, corridors, indoors)
    if not _set_goals(rng, levels, parts):
        return None
    _decorate(rng, levels, wild, indoors)
    return levels


def _split(rng: Generator, area: Area, largest: int) -> list[Area]:
    """Split an area into smaller ones at random, until each side is at most about `largest`."""
    row, column, height, width = area
    down = height > width if abs(height - width) > 3 else bool(rng.random() < 0.5)
    if max(height, width) <= largest or max(height, width) < 2 * SMALLEST:
        return [area]
    if (height if down else width) < 2 * SMALLEST:
        down = not down
    length = height if down else width
    cut = int(rng.integers(SMALLEST, length - SMALLEST + 1))
    if down:
        first, second = (row, column, cut, width), (row + cut, column, height - cut, width)
    else:
        first, second = (row, column, height, cut), (row, column + cut, height, width - cut)
    return _split(rng, first, largest) + _split(rng, second, largest)


def _room(rng: Generator, area: Area, size: tuple[int, int]) -> np.ndarray:
    """Make a rectangle, now and then with pillars or rounded corners."""
    row, column, height, width = area
    h, w = int(rng.integers(3, height - 2)), int(rng.integers(3, width - 2))
    r, c = row + 1 + int(rng.integers(0, height - h - 1)), column + 1 + int(rng.integers(0, width - w - 1))
    part = np.zeros(size, bool)
    part[r : r + h, c : c + w] = True
    if min(h, w) >= 5 and rng.random() < 0.25:
        part[[r, r, r + h - 1, r + h - 1], [c, c + w - 1, c, c + w - 1]] = False
    if min(h, w) >= 5 and rng.random() < 0.3:
        part[r + 1 : r + h - 1 : 2, c + 1] = False
        part[r + 1 : r + h - 1 : 2, c + w - 2] = False
    return part


def _cave(rng: Generator, area: Area, size: tuple[int, int]) -> np.ndarray:
    """Smooth noise by a cellular automaton, and keep the largest piece."""
    row, column, height, width = area
    part = np.zeros(size, bool)
    inside = np.zeros(size, bool)
    inside[row + 1 : row + height - 1, column + 1 : column + width - 1] = True
    part[inside] = rng.random(int(inside.sum())) < 0.58
    for _ in range(4):
        padded = np.pad(part, 1).astype(int)
        near = sum(padded[i : i + size[0], j : j + size[1]] for i in range(3) for j in range(3))
        part = (near >= 5) & inside
    best, left = np.zeros(size, bool), part.copy()
    while left.any():
        r, c = np.argwhere(left)[0]
        piece = flood(left, (int(r), int(c)))
        left &= ~piece
        best = piece if piece.sum() > best.sum() else best
    return best


def _maze(rng: Generator, area: Area, size: tuple[int, int]) -> np.ndarray:
    """Carve a maze by a random walk that backs up, and join a few dead ends."""
    row, column, height, width = area
    rows, columns = (height - 1) // 2, (width - 1) // 2
    part = np.zeros(size, bool)
    seen = np.zeros((rows, columns), bool)
    here = int(rng.integers(rows)), int(rng.integers(columns))
    path = [here]
    seen[here] = True
    part[row + 1 + 2 * here[0], column + 1 + 2 * here[1]] = True
    while path:
        r, c = path[-1]
        near = [(r + dr, c + dc) for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        free = [(a, b) for a, b in near if 0 <= a < rows and 0 <= b < columns and not seen[a, b]]
        if not free:
            path.pop()
            continue
        a, b = free[rng.integers(len(free))]
        seen[a, b] = True
        part[row + 1 + 2 * a, column + 1 + 2 * b] = True
        part[row + 1 + r + a, column + 1 + c + b] = True
        path.append((a, b))
    for _ in range(rows * columns // 12):
        r, c = int(rng.integers(rows)), int(rng.integers(columns - 1))
        part[row + 1 + 2 * r, column + 2 + 2 * c] = True
    return part


def _connect(rng: Generator, parts: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Dig corridors: between the nearest parts until all are joined, and one or two more."""
    centres = np.array([np.argwhere(part).mean(0) for part in parts])
    distance = ((centres[:, None] - centres[None]) ** 2).sum(-1)
    edges = []
    joined = np.arange(len(parts)) == 0
    while not joined.all():
        between = np.where(joined[:, None] & ~joined[None], distance, np.inf)
        a, b = (int(i) for i in np.unravel_index(between.argmin(), between.shape))
        edges.append((a, b))
        joined[b] = True
    for _ in range(int(rng.integers(0, 3))):
        a, b = rng.choice(len(parts), 2, replace=False).tolist()
        edges.append((a, b))
    dug = np.zeros(size, bool)
    for a, b in edges:
        (r0, c0), (r1, c1) = (_some(rng, parts[i]) for i in (a, b))
        if rng.random() < 0.5:
            dug[r0, min(c0, c1) : max(c0, c1) + 1] = True
            dug[min(r0, r1) : max(r0, r1) + 1, c1] = True
        else:
            dug[min(r0, r1) : max(r0, r1) + 1, c0] = True
            dug[r1, min(c0, c1) : max(c0, c1) + 1] = True
    return dug


def _some(rng: Generator, mask: np.ndarray) -> tuple[int, int]:
    """Choose a cell of a mask."""
    row, column = np.argwhere(mask)[rng.integers(int(mask.sum()))]
    return int(row), int(column)


def _set_doors(rng: Generator, levels: np.ndarray, corridors: np.ndarray, indoors: np.ndarray) -> None:
    """Put doors where a corridor leaves a room or a maze between two walls."""
    for row, column in rng.permutation(np.argwhere(corridors)):
        around = levels[row - 1, column], levels[row + 1, column], levels[row, column - 1], levels[row, column + 1]
        walls = [level == WALL for level in around]
        free = [level == FLOOR for level in around]
        fits = (all(walls[:2]) and all(free[2:])) or (all(walls[2:]) and all(free[:2]))
        near = indoors[row - 1 : row + 2, column - 1 : column + 2]
        enters = near[0, 1] or near[2, 1] or near[1, 0] or near[1, 2]
        if fits and enters and rng.random() < 0.75:
            levels[row, column] = DOOR


def _set_goals(rng: Generator, levels: np.ndarray, parts: list[np.ndarray]) -> bool:
    """Set the stairs, lock up to two doors that close off a part, and put the key where it is found first."""
    first, last = rng.choice(len(parts), 2, replace=False).tolist()
    ends = [parts[i] & (levels == FLOOR) for i in (first, last)]
    if not all(end.any() for end in ends):
        return False
    start = _some(rng, ends[0])
    levels[start] = UP
    walkable = is_walkable(levels)
    locked = 0
    wanted = int(rng.choice(3, p=(0.35, 0.4, 0.25)))
    for row, column in rng.permutation(np.argwhere(levels == DOOR)):
        if locked == wanted:
            break
        passable = walkable & (levels != LOCKED)
        passable[row, column] = False
        behind = flood(walkable & (levels != LOCKED), start) & ~flood(passable, start)
        if behind.sum() >= 8:
            levels[row, column] = LOCKED
            locked += 1
    reached = flood(walkable & (levels != LOCKED), start)
    hidden = walkable & ~reached & (levels == FLOOR)
    goal = hidden if hidden.any() and rng.random() < 0.8 else ends[1] & (levels == FLOOR)
    if not goal.any():
        return False
    levels[_some(rng, goal)] = DOWN
    if locked:
        levels[_some(rng, reached & (levels == FLOOR))] = KEY
    return True


def _decorate(rng: Generator, levels: np.ndarray, wild: np.ndarray, indoors: np.ndarray) -> None:
    """Add grass, ponds and trees to caves, pools to rooms, chests to corners, and monsters."""
    start = tuple(np.argwhere(levels == UP)[0])
    maps = max(1, levels.size // 1024)  # of the usual size
    noise = _smooth(rng, levels.shape)
    levels[wild & (levels == FLOOR) & (noise > 0.1)] = GRASS
    ponds = _smooth(rng, levels.shape) > (0.5 if rng.random() < 0.6 else 0.8)
    _block(levels, ponds & wild & np.isin(levels, (FLOOR, GRASS)), WATER, start)
    for cell in rng.permutation(np.argwhere(wild & (levels == GRASS)))[: maps * int(rng.integers(0, 9))]:
        _block(levels, _at(levels.shape, cell), TREE, start)
    if rng.random() < 0.3 and indoors.any():
        row, column = _some(rng, indoors)
        pool = np.zeros(levels.shape, bool)
        pool[row : row + 2, column : column + 3] = True
        if (levels[pool] == FLOOR).all():
            _block(levels, pool, WATER, start)
    floor = levels == FLOOR
    near_walls = np.pad(levels == WALL, 1).astype(int)
    sides = near_walls[:-2, 1:-1] + near_walls[2:, 1:-1] + near_walls[1:-1, :-2] + near_walls[1:-1, 2:]
    corners = rng.permutation(np.argwhere(floor & (sides == 2 + (rng.random() < 0.3)) & indoors))
    for row, column in corners[: maps * int(rng.integers(0, 5))]:
        levels[row, column] = CHEST
    places = rng.permutation(np.argwhere(np.isin(levels, (FLOOR, GRASS))))
    for row, column in places[: int(rng.integers(1, 3 + levels.size // 150))]:
        levels[row, column] = MONSTER


def _smooth(rng: Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw smooth noise of standard deviation 1: the mean of 5 x 5 normal draws, scaled."""
    draws = rng.normal(size=(shape[0] + 4, shape[1] + 4))
    rows = sum(draws[i : i + shape[0]] for i in range(5))
    smooth: np.ndarray = sum(rows[:, j : j + shape[1]] for j in range(5)) / 5
    return smooth


def _at(shape: tuple[int, ...], cell: np.ndarray) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(cell)] = True
    return mask


def _block(levels: np.ndarray, mask: np.ndarray, level: int, start: tuple[int, ...]) -> None:
    """Set cells that cannot be walked on, unless that would cut something off."""
    changed = levels.copy()
    changed[mask] = level
    walkable = is_walkable(changed)
    doors = np.isin(levels, (DOOR, LOCKED))
    beside = dilate(doors) & mask  # a door opens onto cells to walk on
    if not beside.any() and np.array_equal(flood(walkable, (int(start[0]), int(start[1]))), walkable):
        levels[:] = changed


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--train", type=int, default=16_000)
    parser.add_argument("--valid", type=int, default=500)
    parser.add_argument("--test", type=int, default=1_000)
    parser.add_argument("--windows", type=int, default=0, help="windows among the training maps, in addition")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--captions", action="store_true", help="write captions that count, for `--caption-column caption`"
    )
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first training map, and of the first large map"
    )
    options = parser.parse_args()
    sizes = {"test": options.test, "valid": options.valid, "train": options.train}
    split = np.repeat(list(sizes), list(sizes.values()))
    held_out = options.test + options.valid
    numbers = [*range(held_out), *range(held_out + options.first, held_out + options.first + options.train)]
    maps, kinds = zip(*(generate(options.seed, i, (options.side, options.side)) for i in numbers), strict=True)
    each = ((LARGE - 2 * EDGE) // options.side) ** 2
    large = range(options.first // each, (options.first + options.windows) // each)
    cut = [window for i in large for window in windows(options.seed, i, options.side)]
    x = np.stack([*maps, *cut])
    assert len(np.unique(np.stack(maps), axis=0)) == len(maps), "two maps are equal"
    more = {}
    if options.captions:
        texts = [
            caption(levels, kind, np.random.default_rng((options.seed, 2, i)), part != "train")
            for i, levels, kind, part in zip(numbers, maps, kinds, split, strict=True)
        ]
        more["caption"] = np.array([*texts, *[""] * len(cut)])
    np.savez_compressed(
        options.target, x=x, level_names=np.array(LEVELS), kind=np.array([*kinds, *["mixed"] * len(cut)]),
        split=np.array([*split, *["train"] * len(cut)]), extent=np.array([*[""] * len(maps), *["window"] * len(cut)]),
        **more,
    )  # fmt: skip
    sizes["windows"] = len(cut)
    print(f"{options.target}: " + ", ".join(f"{part} {count:,}" for part, count in sizes.items()))


if __name__ == "__main__":
    main()
