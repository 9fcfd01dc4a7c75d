"""The scale of heat maps, fixed by normal images, and the record of one image that is judged on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pointillist.anomaly.density import Normals, conformal_threshold
from pointillist.files.arrays import Summary
from pointillist.images import ImageSpec, to_picture
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.visualization import diverging_colors, heat_map, image_grid, png_bytes
from pointillist.images.visualization.pixels import enlarge

_TOP_RATE = 0.01  # share of normal images that pass the last colour
_INK = 0.65  # opacity of the last colour of an overlay
_LEAST = 1e-12  # variance of a map that never varies, in bits squared
UNIT = "standard deviations of normal images"


@dataclass(frozen=True, eq=False)
class HeatScale:
    """Scale of smoothed excess surprisal: its mean and deviation over the pixels of normal images, and their peaks.

    ```python
    detector.heat_scale_.threshold(0.05)  # passed somewhere by at most 5 % of normal images
    ```

    Attributes:
        mean, deviation: of the smoothed excess over all pixels, in bits a pixel.
        peaks: largest distance from the mean in each held-out normal image, in deviations.
    """

    mean: float
    deviation: float
    peaks: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, fitted: Normals, held_out: Normals) -> HeatScale:
        """Take mean and deviation from some normal images, and the peaks from others."""
        pixels = fitted.size[0] * fitted.size[1]
        mean = float(fitted.sums.mean()) / pixels
        deviation = math.sqrt(max(float(fitted.squares.mean()) / pixels - mean**2, _LEAST))
        return cls(mean, deviation, np.sort(np.abs((held_out.extremes - mean) / deviation).max(1)))

    @property
    def top(self) -> float:
        """Distance that takes the last colour: 99 of 100 normal images stay below everywhere."""
        return float(np.quantile(self.peaks, 1 - _TOP_RATE))

    def threshold(self, rate: float) -> float:
        """Distance that a new normal image passes somewhere with a probability of at most `rate`."""
        return -conformal_threshold(-self.peaks, rate)

    def z(self, excess: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s"]:
        """Express smoothed excess in deviations from the mean."""
        return (excess - self.mean) / self.deviation


@dataclass(frozen=True, eq=False)
class AnomalyRecord(Summary):
    """The verdict on one image, with its maps. Fields that start with `pred_`, and `anomaly_map`, are anomalib's.

    ```python
    record = detector.explain(image)
    record.p_value, record.top_statistic, record.location
    record.overlay().save("overlay.png")
    ```

    Attributes:
        name: file, or else the number, of the image.
        levels: the image, `[c h w]`.
        spec: meaning of its levels.
        score: log-density of the statistics among normal images, in nats; high is normal.
        p_value: share of held-out normal images at least as anomalous.
        pred_label: whether it is called anomalous.
        statistics: its statistics, in standard deviations of normal images from their mean.
        z_map: smoothed excess surprisal, in standard deviations of normal images from their mean, `[h w]`.
        mask_threshold: distance from 0 from which pixels are masked.
        top: distance from 0 that takes the last colour.
    """

    _summary = (
        "file=name p_value score pred_score pred_label top_statistic location masked_pixels=pred_mask.sum statistics"
    )

    name: str
    levels: Int[np.ndarray, "c h w"] = field(repr=False)
    spec: ImageSpec = field(repr=False)
    score: float
    p_value: float
    pred_label: bool
    statistics: dict[str, float] = field(repr=False)
    z_map: Float[np.ndarray, "h w"] = field(repr=False)
    mask_threshold: float
    top: float

    @property
    def pred_score(self) -> float:
        """Share of held-out normal images that are less anomalous: from 0, normal, to 1."""
        return 1 - self.p_value

    @property
    def anomaly_map(self) -> Float[np.ndarray, "h w"]:
        """Distance of each pixel from the mean of normal images, on either side."""
        distance: np.ndarray = np.abs(self.z_map)
        return distance

    @property
    def pred_mask(self) -> Bool[np.ndarray, "h w"]:
        """Pixels that are masked as anomalous: none in all but a share of normal images."""
        return self.anomaly_map > self.mask_threshold

    @property
    def top_statistic(self) -> str:
        """Name of the statistic that lies farthest from normal images."""
        return max(self.statistics, key=lambda name: abs(self.statistics[name]))

    @property
    def location(self) -> tuple[int, int]:
        """Row and column of the pixel where the map lies farthest from normal images."""
        row, column = np.unravel_index(int(self.anomaly_map.argmax()), self.z_map.shape)
        return int(row), int(column)

    @property
    def picture(self) -> np.ndarray:
        """The image as 8-bit RGB, `[h w 3]`."""
        return enlarge(to_picture(self.spec, self.levels), 1)

    def heat(self) -> Image.Image:
        """Draw the map with its scale, the same for all images: red where it took more bits than expected."""
        return heat_map(self.z_map[None], top=self.top, unit=UNIT, both=True)

    def overlay(self) -> Image.Image:
        """Draw the map over the image, more opaque where it lies farther from normal images."""
        return Image.fromarray(self.panels[1])

    @property
    def panels(self) -> np.ndarray:
        """The image, the map over it and the mask as 8-bit RGB, `[3 h w 3]`."""
        share = _INK * np.clip(self.anomaly_map / self.top, 0, 1)[..., None]
        overlay = np.rint((1 - share) * self.picture + share * diverging_colors(self.z_map, self.top))
        mask = np.repeat(self.pred_mask[..., None] * np.uint8(255), 3, -1)
        return np.stack([self.picture, overlay.astype(np.uint8), mask])

    def side_by_side(self) -> Image.Image:
        """Draw the image, the map over it, and the mask."""
        return image_grid(self.panels, captions=["image", "overlay", "mask"], columns=3)

    def _repr_png_(self) -> bytes:
        return png_bytes(self.side_by_side())
