"""An image against normal images, by the anomaly detector of a model."""

from __future__ import annotations

from pydantic import Field

from pointillist.studio.schemas.base import EncodedArray, Schema


class AnomalyQuery(Schema):
    """An image of the size of the detector's normal images.

    Attributes:
        levels: `[c h w]`. Conditions and generation order do not count: the detector judges the image alone.
    """

    levels: EncodedArray


class AnomalyStatistic(Schema):
    """A statistic of an image.

    Attributes:
        name: such as `excess`.
        meaning: what it measures, with its unit, to display.
        distance: from the mean of normal images, in their standard deviations.
    """

    name: str
    meaning: str
    distance: float


class AnomalyMap(Schema):
    """The verdict of a detector on an image, with its map; see `pointillist.AnomalyRecord`.

    Attributes:
        distance: of each pixel, its smoothed excess surprisal, from the mean of normal images in their standard
            deviations, float32 `[h w]`.
        top: the distance at both ends of the colour scale, the same for all images: 1 in 100 normal images passes it
            somewhere.
        p_value: share of held-out normal images, and the image itself, that are at least as anomalous.
        held_out: number of held-out normal images.
        false_alarms: share of normal images that may be called anomalous.
        odd: whether the image is called anomalous at that rate.
        statistics: all statistics, the farthest from normal images first.
    """

    distance: EncodedArray
    top: float
    p_value: float = Field(gt=0, le=1)
    held_out: int
    false_alarms: float
    odd: bool
    statistics: list[AnomalyStatistic]
