"""Rules of the maps of `generate.py`, checked exactly: `faults(levels)` names every rule that a map breaks.

    python recipes/zoo/dungeons/rules.py maps.npz

counts the maps of an archive that break each rule. The archive has levels `x`, or `levels` as `pointillist sample
--out maps.npz` writes them.

1. `walls`: an open cell has no outside among its eight neighbours, and none lies on the border of the map.
2. `shell`: a wall has an open cell among its eight neighbours. What is neither open nor such a wall is outside.
3. `doors`: a door (locked or not) has walls on two opposite sides, and cells to walk on, but no doors, on the others.
4. `stairs`: there is one staircase up, the entrance, and one down, the exit.
5. `connected`: every cell that can be walked on is reached from the entrance, through all doors.
6. `key`: with a locked door there is one key, reached from the entrance without passing one; without, there is none.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from scipy import ndimage

LEVELS = (
    "outside", "wall", "floor", "door", "locked door", "key", "stairs up", "stairs down", "water", "grass", "tree",
    "chest", "monster",
)  # fmt: skip
OUTSIDE, WALL, FLOOR, DOOR, LOCKED, KEY, UP, DOWN, WATER, GRASS, TREE, CHEST, MONSTER = range(len(LEVELS))
RULES = ("walls", "shell", "doors", "stairs", "connected", "key")
_BLOCKED = (OUTSIDE, WALL, WATER, TREE)


def is_open(levels: np.ndarray) -> np.ndarray:
    """Tell which cells are within walls: all but walls and the outside."""
    return (levels != OUTSIDE) & (levels != WALL)


def is_walkable(levels: np.ndarray) -> np.ndarray:
    """Tell which cells can be walked on."""
    return ~np.isin(levels, _BLOCKED)


def dilate(mask: np.ndarray) -> np.ndarray:
    """Grow a mask by its eight neighbours."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    grown: np.ndarray = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return grown


def flood(passable: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """Find the cells that are reached from `start` by steps to the four neighbours."""
    pieces, _ = ndimage.label(passable)
    reached: np.ndarray = passable & (pieces == pieces[start])
    return reached if passable[start] else np.zeros_like(passable)


def counts(levels: np.ndarray) -> dict[str, int]:
    """Count what captions count. A room is a place three cells wide and high; doors and narrower places part rooms."""
    free = np.pad(is_open(levels) & ~np.isin(levels, (DOOR, LOCKED)), 1)
    pillars = free[:-2, 1:-1] & free[2:, 1:-1] & free[1:-1, :-2] & free[1:-1, 2:]
    square = np.ones((3, 3), bool)
    rooms = ndimage.binary_opening(free[1:-1, 1:-1] | pillars, square)
    return {
        "room": int(ndimage.label(rooms, square)[1]),
        "pond": int(ndimage.label(levels == WATER, square)[1]),
        "chest": int((levels == CHEST).sum()),
        "locked door": int((levels == LOCKED).sum()),
    }


def parts(levels: np.ndarray) -> tuple[int, int]:
    """Count the parts, of two cells or more, into which what can be walked on falls, and those that reach no side."""
    pieces, _ = ndimage.label(is_walkable(levels))
    found = np.flatnonzero(np.bincount(pieces.ravel()) > 1)
    sides = np.concatenate([pieces[[0, -1]].ravel(), pieces[:, [0, -1]].ravel()])
    return len(found[found > 0]), len(np.setdiff1d(found, [0, *sides]))


def faults(levels: np.ndarray) -> list[str]:
    """Name the rules that a map `[h w]` breaks, in their order; none for a valid map."""
    found = []
    opened, walls = is_open(levels), levels == WALL
    border = np.ones_like(opened)
    border[1:-1, 1:-1] = False
    if (dilate(opened) & (levels == OUTSIDE)).any() or (opened & border).any():
        found.append("walls")
    if (walls & ~dilate(opened)).any():
        found.append("shell")
    if not _doors_fit(levels):
        found.append("doors")
    up, down = np.argwhere(levels == UP), np.argwhere(levels == DOWN)
    if len(up) != 1 or len(down) != 1:
        found.append("stairs")
    walkable, locked, keys = is_walkable(levels), levels == LOCKED, levels == KEY
    start = tuple(up[0]) if len(up) else None
    if start is None or not np.array_equal(flood(walkable, start), walkable):
        found.append("connected")
    if locked.any():
        if keys.sum() != 1 or start is None or not (flood(walkable & ~locked, start) & keys).any():
            found.append("key")
    elif keys.any():
        found.append("key")
    return found


def _doors_fit(levels: np.ndarray) -> bool:
    walls, doors = np.pad(levels == WALL, 1), np.pad((levels == DOOR) | (levels == LOCKED), 1)
    free = np.pad(is_walkable(levels), 1) & ~doors
    for row, column in np.argwhere(doors):
        beside = (row, column - 1), (row, column + 1)
        before = (row - 1, column), (row + 1, column)
        if not any(
            all(walls[at] for at in blocked) and all(free[at] for at in passage)
            for blocked, passage in ((beside, before), (before, beside))
        ):
            return False
    return True


def report(maps: np.ndarray) -> str:
    """Count the maps `[n h w]` or `[n 1 h w]` that break each rule."""
    found = [faults(levels) for levels in maps.reshape(-1, *maps.shape[-2:])]
    counts = Counter(rule for broken in found for rule in broken)
    valid = sum(not broken for broken in found)
    lines = [
        f"{rule:<10} broken by {counts[rule]:,} of {len(found):,} ({counts[rule] / len(found):.1%})" for rule in RULES
    ]
    return "\n".join([*lines, f"{'valid':<10} {valid:,} of {len(found):,} ({valid / len(found):.1%})"])


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as archive:
        print(report(archive["levels" if "levels" in archive else "x"]))
