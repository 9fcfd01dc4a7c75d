"""Questions answered: the numbers are those of `pointillist.explaining`, in the messages of the studio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pointillist.drawing import guide, sharpen
from pointillist.explaining.asking import Asked
from pointillist.explaining.attribution import gradient_of
from pointillist.explaining.distribution import Components, LevelDistribution, distributions_of
from pointillist.explaining.maps import maps_of
from pointillist.explaining.what_if import Place, what_if_of
from pointillist.pixel_model import PixelModel
from pointillist.receptive import channel_names
from pointillist.studio import messages as m
from pointillist.studio.reading import asked_of, pack_floats, pack_levels

_TOP = 16
_MOST_BITS = 1e6  # of a level that is not possible: JSON has no infinity


def score(model: PixelModel, question: m.ImageQuestion, limits: m.Limits) -> m.Maps:
    """An image in bits."""
    maps = maps_of(asked_of(model, question, limits))
    pixels = np.argsort(maps.places[0], axis=None)
    return m.Maps(
        surprise=pack_floats(maps.surprise), entropy=pack_floats(maps.entropy), bits=maps.bits,
        bits_per_dim=maps.bits_per_dim, expected=maps.expected, z=maps.z, sequence=pixels.tolist(),
    )  # fmt: skip


def pixel(model: PixelModel, question: m.PixelQuestion, limits: m.Limits) -> m.PixelAnswer:
    """The distributions of a pixel."""
    asked = asked_of(model, question, limits)
    found = distributions_of(asked, question.row, question.column)
    drawn = _drawn(asked, question, found)
    channels = [_sub_pixel(one, name, d) for one, name, d in zip(found, channel_names(model), drawn, strict=True)]
    return m.PixelAnswer(row=question.row, column=question.column, channels=channels)


def _drawn(asked: Asked, question: m.PixelQuestion, found: list[LevelDistribution]) -> list[list[float] | None]:
    """Of each channel, what guidance, temperature and top-p make of its distribution."""
    if question.guidance == question.temperature == question.top_p == 1:
        return [None] * len(found)
    told = [torch.from_numpy(one.log_probs)[None] for one in found]
    if question.guidance != 1 and asked.told.anything:
        untold = distributions_of(replace(asked, told=asked.told.untold()), question.row, question.column)
        pairs = zip(told, untold, strict=True)
        told = [guide(t, torch.from_numpy(u.log_probs)[None], question.guidance) for t, u in pairs]
    bent = [sharpen(t, question.temperature, question.top_p)[0].exp() for t in told]
    return [(p / p.sum()).tolist() for p in bent]


def _sub_pixel(found: LevelDistribution, name: str, drawn: list[float] | None) -> m.SubPixel:
    quantiles = found.quantiles
    return m.SubPixel(
        channel=found.channel,
        name=name,
        observed=found.observed,
        probs=found.probs.tolist(),
        drawn=drawn,
        entropy=found.entropy,
        surprise=min(found.surprise, _MOST_BITS),
        rank=found.rank,
        mean=found.mean,
        quantiles=None if quantiles is None else {f"{q:g}": level for q, level in quantiles.items()},
        top=[m.LevelShare(level=level, prob=prob) for level, prob in found.top(_TOP)],
        components=None if found.components is None else _components(found.components),
    )


def _components(parts: Components) -> list[m.Component]:
    order = np.argsort(-parts.weight, kind="stable")
    every = zip(parts.weight[order].tolist(), parts.mean[order].tolist(), parts.scale[order].tolist(), strict=True)
    return [m.Component(weight=weight, mean=mean, scale=scale) for weight, mean, scale in every]


def look(model: PixelModel, question: m.LookQuestion, limits: m.Limits) -> m.Look:
    """What a pixel looked at."""
    asked = asked_of(model, question, limits)
    found = gradient_of(asked, question.row, question.column, question.channel)
    top = float(np.abs(found.values).max(initial=0.0))
    return m.Look(values=pack_floats(found.values), signed=found.signed, unit=found.unit, top=top)


def change(model: PixelModel, question: m.ChangeQuestion, limits: m.Limits) -> m.ChangeAnswer:
    """What follows from changes."""
    asked = asked_of(model, question, limits)
    changes: dict[Place, int] = {(c.row, c.column, c.channel): c.level for c in question.changes}
    found = what_if_of(asked, changes, n=0)
    return m.ChangeAnswer(
        levels=pack_levels(model, found.levels), bits_before=found.before.bits, bits_after=found.after.bits,
        bits_change=found.bits_change, surprise=pack_floats(found.after.surprise), shift=pack_floats(found.shift),
    )  # fmt: skip
