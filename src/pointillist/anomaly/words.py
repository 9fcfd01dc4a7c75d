"""Words on an image for people who look at pictures: how it differs from normal images, and where."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pointillist.images import ImageSpec, to_picture
from pointillist.images.array_types import Bool, Float, Int

_STATISTICS = {
    "bits": ("more detail than usual", "plainer than usual, with less detail"),
    "excess": ("parts do not fit together as usual", "more regular than usual, with no surprise in it"),
    "codec": ("simple to a file format, but drawn in another way", "busy to a file format, but in the usual way"),
    "peak_3x3": ("a small spot does not belong", "no spot stands out, as one usually does"),
    "peak_5x5": ("a patch does not belong", "no patch stands out, as one usually does"),
    "pit_mean": (
        "brighter than what comes before each pixel suggests",
        "darker than what comes before each pixel suggests",
    ),
    "background": ("nearer to noise than normal images", "more of what only normal images have"),
    "condition": ("fits its label more than usual", "does not look like its label or caption"),
    "neighbours": ("unlike every normal image at hand", "nearly the same as some normal images"),
}  # what a value above and below normal images says of a picture
_LAGS = ("pit_lag_row", "pit_lag_column")
_PATTERNS = {
    (1, 1): "tones run on from pixel to pixel: soft, or shifted together",
    (-1, -1): "tones alternate from pixel to pixel: grainy",
    (1, -1): "stripes from left to right",
    (-1, 1): "stripes from top to bottom",
    (1, 0): "tones run on from left to right",
    (-1, 0): "tones alternate from left to right",
    (0, 1): "tones run on from top to bottom",
    (0, -1): "tones alternate from top to bottom",
}  # by the signs of the two correlations of neighbours that are notable
NOTABLE = 2.0
"""Standard deviations of normal images from which on a difference is put into words: 1 of 20 normal images is there."""
_MUCH = 6.0  # standard deviations that no normal image of a bell-shaped distribution reaches
_WHOLE = 0.4  # share of the pixels from which on a region is the entire image
_LONG, _THIN = 0.7, 0.4  # shares of a side, at least and at most, that make a region a band
_LEAST = 0.02  # of the range of levels: the smallest deviation, for pixels that never vary
_SPOTS = ("peak_3x3", "peak_5x5")  # statistics of one place, which the map names
_PLACES = (
    ("in the upper left", "at the top", "in the upper right"),
    ("at the left", "in the middle", "at the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)


def describe(
    statistics: Mapping[str, float],
    z_map: Float[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "h w"],
    levels: Int[np.ndarray, "c h w"],
    spec: ImageSpec,
    normal: Int[np.ndarray, "n c h w"],
) -> list[str]:
    """Describe how an image differs from normal ones: first how it looks and where, then its farthest statistics.

    Looks are measured on the picture, in the region where its map is beyond normal images, or else in all of it:
    brightness and differences between neighbouring pixels, each compared with the same pixels of normal images.

    Args:
        statistics: statistics of the image, in standard deviations of normal images.
        z_map: its heat map.
        mask: pixels of the map that are beyond normal images.
        levels: the image.
        spec: meaning of its levels.
        normal: normal images of its size.

    Example:
        describe(record.statistics, record.z_map, record.pred_mask, record.levels, record.spec, record.normal)
    """
    region = _region(z_map)
    local = bool(mask.any()) and mask.mean() < _WHOLE
    where = _place(region) if local else "all over"
    looks = _looks(levels, spec, normal, region) if local else ""
    everywhere = "" if looks else _looks(levels, spec, normal, np.ones_like(mask))
    if looks or everywhere:
        sentences = [f"{looks or everywhere} than usual {where if looks else 'all over'}"]
    elif mask.any():
        unexpected = z_map[region].sum() > 0
        sentences = [f"{'something does not belong' if unexpected else 'more even than usual'} {where}"]
    else:
        sentences = []
    place = "" if sentences else f" {_place(region)}"
    return [*sentences, *_name_statistics(statistics, place)] or ["nothing stands out by itself"]


def _name_statistics(statistics: Mapping[str, float], place: str) -> list[str]:
    """Say what the farthest statistics mean, at most two; a spot with its place."""
    notable = {name: value for name, value in statistics.items() if abs(value) >= NOTABLE}
    sentences: list[str] = []
    for name in sorted(notable, key=lambda name: -abs(notable[name])):
        if name in _LAGS:
            row, column = (int(np.sign(notable.get(lag, 0))) for lag in _LAGS)
            sentences.append(_PATTERNS[row, column])
        elif name in _SPOTS and notable[name] > 0:
            sentences.append(_STATISTICS[name][0] + place)
        else:
            sentences.append(_STATISTICS[name][notable[name] < 0])
        if name in _SPOTS and any(spot in notable and abs(notable[spot]) > abs(notable[name]) for spot in _SPOTS):
            sentences.pop()  # the other window sees the same place better
    return list(dict.fromkeys(sentences))[:2]


def _region(z_map: np.ndarray) -> np.ndarray:
    """Return the pixels that lie at least half as far out as the farthest pixel, on its side."""
    row, column = np.unravel_index(int(np.abs(z_map).argmax()), z_map.shape)
    peak = z_map[row, column]
    return np.asarray(z_map * np.sign(peak) >= abs(peak) / 2)


def _place(region: np.ndarray) -> str:
    """Name the place of a region, such as "in the upper left"."""
    if region.mean() >= _WHOLE:
        return "all over"
    (height, width), (rows, columns) = region.shape, np.nonzero(region)
    row, column = (min(2, int(3 * (each.mean() + 0.5) / side)) for each, side in ((rows, height), (columns, width)))
    tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    if wide >= _LONG * width and tall <= _THIN * height:
        return f"in a band from left to right, {_PLACES[row][1]}"
    if tall >= _LONG * height and wide <= _THIN * width:
        return f"in a band from top to bottom, {_PLACES[1][column]}"
    return _PLACES[row][column]


def _looks(levels: np.ndarray, spec: ImageSpec, normal: np.ndarray, region: np.ndarray) -> str:
    """Compare a region with the same pixels of normal images: "rougher and darker", the farther one first, or ""."""
    images = np.concatenate([levels[None].astype(np.int64), normal.astype(np.int64)])
    roughness = _roughness(images, spec, region)
    measures = [(roughness, ("rougher", "smoother") if spec.ordered else ("busier", "plainer"))]
    if spec.ordered:
        measures.append((_sharpness(_tones(images, spec), region), ("sharper", "softer")))
    if spec.ordered or spec.mode == "palette":
        measures.append((_tones(images, spec)[:, region].mean(1), ("brighter", "darker")))
    notable = []
    for values, words in measures:
        z = (values[0] - values[1:].mean()) / max(float(values[1:].std()), _LEAST)
        if abs(z) >= NOTABLE:
            notable.append((abs(z), words[int(z < 0)]))
    notable.sort(reverse=True)
    much = "much " if notable and notable[0][0] >= _MUCH else ""
    return much + " and ".join(word for _, word in notable[:2])


def _tones(images: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Return the tone of each pixel, from 0 to 1: `[n h w]`."""
    if spec.mode == "palette":
        return np.stack([to_picture(spec, image)[..., :3].mean(-1) for image in images]) / 255
    tones = np.asarray(images[:, : 3 if spec.mode == "rgba" else None].mean(1) / (spec.levels - 1))
    return 1 - tones if spec.min_is_white else tones


def _roughness(images: np.ndarray, spec: ImageSpec, region: np.ndarray) -> np.ndarray:
    """Return the mean step between neighbouring pixels of a region; of unordered levels, the share that differs."""
    values = _tones(images, spec)[:, None] if spec.ordered else images
    parts = []
    for here, before in ((np.s_[..., 1:, :], np.s_[..., :-1, :]), (np.s_[..., 1:], np.s_[..., :-1])):
        steps = np.abs(values[here] - values[before]) if spec.ordered else values[here] != values[before]
        parts.append(steps.mean(1)[:, region[here] & region[before]])
    steps = np.concatenate(parts, 1)
    return np.asarray(steps.sum(1) / max(steps.shape[1], 1))


def _sharpness(tones: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return how much steps change from pixel to pixel, over the steps: low where edges are ramps, as after a blur."""
    bends, steps = [], []
    for values, inside in ((tones, region), (tones.swapaxes(1, 2), region.T)):
        three = inside[2:] & inside[1:-1] & inside[:-2]
        bends.append(np.abs(values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2])[:, three].sum(1))
        steps.append(np.abs(values[:, 2:] - values[:, 1:-1])[:, three].sum(1))
    return np.asarray(sum(bends) / (sum(steps) + _LEAST))
