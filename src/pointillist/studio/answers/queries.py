"""Results of queries and parts of worlds: numbers of `pointillist.analysis` in the studio's schemas.

Receptive fields, layers and activations need torch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.analysis.condition_gain import WordGain, describe_length, prompt_words, word_gain, word_gains
from pointillist.analysis.counterfactual import SitePosition, counterfactual
from pointillist.analysis.distribution import LevelDistribution, pixel_distributions, sampling_distributions
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import surprisal_maps
from pointillist.distributions.transform import Transform
from pointillist.errors import ConfigError, EngineError, quote
from pointillist.images import channel_names
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import read_prompt
from pointillist.sampling.rules.config import Rules
from pointillist.sampling.worlds import World, open_world_model
from pointillist.studio import schemas
from pointillist.studio.conversion import check_pixels, decode_query, encode_floats, encode_levels

if TYPE_CHECKING:
    from torch import Tensor

    from pointillist.model.pixel_model import PixelModel

_TOP = 16
_MAX_BITS = 1e6  # surprisal of an impossible level: JSON has no infinity


def score(model: LikelihoodModel, query: schemas.CanvasQuery, limits: schemas.Limits) -> schemas.ScoreMaps:
    """Compute surprisal and entropy of every sub-pixel of an image, in bits."""
    maps = surprisal_maps(decode_query(model, query, limits))
    pixels = np.argsort(maps.order_index[0], axis=None)
    return schemas.ScoreMaps(
        surprisal=encode_floats(maps.surprisal),
        entropy=encode_floats(maps.entropy),
        bits=maps.bits,
        bits_per_dim=maps.bits_per_dim,
        expected=maps.expected,
        z=maps.z_score,
        sequence=pixels.tolist(),
    )


def words(model: LikelihoodModel, query: schemas.WordQuery, limits: schemas.Limits) -> schemas.WordMaps:
    """Compute the bits that each word of the prompt of an image saves at each pixel, or a word against another."""
    image = decode_query(model, query, limits)
    prompt = image.prompt or ""
    if query.exchange is None:
        gains, note = list(word_gains(image)), describe_length(len(prompt_words(prompt)))
    else:
        gains, note = _exchanged(model, image, query.exchange)
    _, height, width = image.shape
    maps = np.stack([gain.saved.sum(0) for gain in gains]) if gains else np.zeros((0, height, width))
    each = [
        schemas.WordBits(
            text=gain.word.text, index=gain.word.index, replacement=gain.replacement, bits=gain.bits, read=gain.read
        )
        for gain in gains
    ]
    return schemas.WordMaps(prompt=prompt, words=each, saved=encode_floats(maps), note=note)


def _exchanged(model: LikelihoodModel, image: ImageQuery, exchange: schemas.WordExchange) -> tuple[list[WordGain], str]:
    """Measure a word against another, which is read as a prompt is; return a sentence where that is not as given.

    Raises:
        ConfigError: if the prompt has no such word.
    """
    word = next((word for word in prompt_words(image.prompt or "") if word.index == exchange.index), None)
    if word is None:
        raise ConfigError(f"`index` (={exchange.index}) must be of a word of the prompt {quote(image.prompt or '')}.")
    replacement, notes = read_prompt(model, exchange.replacement)
    note = " ".join(notes if replacement != exchange.replacement else ())
    return ([word_gain(image, word, replacement)] if replacement.strip() else []), note


def prompt(model: LikelihoodModel, query: schemas.ConditionValues, limits: schemas.Limits) -> schemas.SampledPrompt:
    """Read the text of some conditions as a prompt is read that is sampled, without sampling it."""
    read = read_prompt(model, query.text or "")
    return schemas.SampledPrompt(prompt=read.text, notes=list(read.notes))


def pixel(model: LikelihoodModel, query: schemas.PixelQuery, limits: schemas.Limits) -> schemas.PixelDistribution:
    image = decode_query(model, query, limits)
    parts = pixel_distributions(image, query.row, query.column)
    transform = Transform(query.guidance, query.temperature, query.top_p)
    if transform.is_identity:
        sampling: list[list[float] | None] = [None] * len(parts)
    else:
        drawn = sampling_distributions(image, query.row, query.column, transform)
        sampling = [probs.tolist() for probs in drawn]
    channels = map(_sub_pixel, parts, channel_names(model.image), sampling)
    return schemas.PixelDistribution(row=query.row, column=query.column, channels=list(channels))


def _sub_pixel(distribution: LevelDistribution, name: str, sampling_probs: list[float] | None) -> schemas.SubPixel:
    numbers = distribution.to_dict()
    mixture = numbers["components"]
    parts = None if mixture is None else sorted(zip(*mixture.values(), strict=True), key=lambda part: -part[0])
    return schemas.SubPixel(
        **{key: numbers[key] for key in ("channel", "observed", "probs", "entropy", "rank", "mean", "quantiles")},
        name=name,
        sampling_probs=sampling_probs,
        surprisal=min(distribution.surprisal, _MAX_BITS),
        top=[schemas.LevelProb(level=level, prob=prob) for level, prob in distribution.top(_TOP)],
        components=None if parts is None else [schemas.Component(weight=w, mean=m, scale=s) for w, m, s in parts],
    )


def saliency(model: LikelihoodModel, query: schemas.SaliencyQuery, limits: schemas.Limits) -> schemas.Saliency:
    """Compute the influence of each sub-pixel on a pixel.

    Raises:
        MissingExtraError: if torch is not installed.
    """
    image = decode_query(model, query, limits)
    image.pixel_model()  # says so where torch is missing
    from pointillist.analysis.layers import gradient

    result = gradient(image, query.row, query.column, query.channel)
    shown = result.values.mean(0) if result.signed else np.abs(result.values).mean(0)
    top = float(np.abs(shown).max(initial=0.0))
    return schemas.Saliency(values=encode_floats(result.values), signed=result.signed, unit=result.unit, top=top)


def edit(model: LikelihoodModel, query: schemas.EditQuery, limits: schemas.Limits) -> schemas.EditEffect:
    """Compute the effect of setting sub-pixels to other levels."""
    image = decode_query(model, query, limits)
    edits: dict[SitePosition, int] = {(edit.row, edit.column, edit.channel): edit.level for edit in query.edits}
    result = counterfactual(image, edits, n=0)
    return schemas.EditEffect(
        levels=encode_levels(model, result.levels),
        bits_before=result.before.bits,
        bits_after=result.after.bits,
        bits_change=result.bits_change,
        surprisal=encode_floats(result.after.surprisal),
        shift=encode_floats(result.shift),
    )


@lru_cache(maxsize=4)  # with the chunks that were drawn last
def _world(model: LikelihoodModel, seed: int, rules: Rules | None) -> World:
    return World(model, seed, rules)


def tiles(model: LikelihoodModel, query: schemas.WorldQuery, limits: schemas.Limits) -> schemas.WorldTiles:
    """Draw a rectangle of an endless map, which its seed and its place determine, as `pointillist.World` does.

    Raises:
        RequestError: if it is too large.
        ConfigError: if the model draws no endless maps, or a rule is none of worlds or cannot be met.
    """
    check_pixels(query.height, query.width, limits)
    key: Any = model  # models compare by identity
    levels = _world(key, query.seed, query.rules).tiles(query.row, query.column, query.height, query.width)
    return schemas.WorldTiles(levels=encode_levels(model, levels[None]))


def draws_worlds(model: LikelihoodModel) -> bool:
    """Return whether a model draws endless maps.

    ```python
    draws_worlds(pt.load("dungeons"))  # True
    ```
    """
    try:
        open_world_model(model)
    except (ConfigError, EngineError):
        return False
    return model.image.mode == "codes" and not model.image.ordered


def field_reach(model: PixelModel, query: schemas.FieldQuery) -> schemas.FieldReach:
    from pointillist.analysis.receptive_field import dependence

    size = (query.height, query.width)
    result = dependence(model, query.row, query.column, size=size, order=query.order)
    depends, earlier = (np.asarray(mask.any(0)) for mask in result)
    earlier[query.row, query.column] = False  # its own channels
    seen = depends & earlier
    reach = schemas.EncodedArray.of(np.where(seen, 2, earlier), "uint8")
    return schemas.FieldReach(reach=reach, seen=int(seen.sum()), earlier=int(earlier.sum()))


def layers(model: LikelihoodModel, query: schemas.CanvasQuery, limits: schemas.Limits) -> schemas.LayerReadings:
    """Read the output head after each layer; nowhere, if layers of this network cannot be left out."""
    image = decode_query(model, query, limits)
    network = image.pixel_model()  # says so where torch is missing
    from pointillist.analysis.layers import has_logit_lens, logit_lens

    if not has_logit_lens(network):
        return schemas.LayerReadings(names=[], surprisal=encode_floats(np.zeros((0, *image.x.shape[-2:]))))
    lens = logit_lens(image)
    return schemas.LayerReadings(names=list(lens.names), surprisal=encode_floats(lens.surprisal.sum(1)))


def activation(model: LikelihoodModel, query: schemas.ActivationQuery, limits: schemas.Limits) -> schemas.ActivationMap:
    """Run the network on an image and return one of its activations.

    Raises:
        ConfigError: if there is none of that name.
    """
    image = decode_query(model, query, limits)
    backbone = image.pixel_model().backbone  # says so where torch is missing
    from pointillist.analysis.layers import Network
    from pointillist.model.hooks import with_hooks

    names: list[str] = []
    recorded: dict[str, Tensor] = {}

    def hook(value: Tensor, name: str) -> None:
        if value.ndim != 4 or value.shape[-2:] != image.x.shape[-2:]:
            return  # on a coarser grid, or not of pixels
        names.append(name)
        if name == query.name or (query.name is None and not recorded):
            recorded[name] = value.detach()[:1].float()

    with with_hooks(backbone, hook):
        Network(image).run()
    if not recorded:
        raise ConfigError(
            f"There is no activation {str(query.name)[:100]!r}: `names` lists them; null takes the first."
        )
    ((name, value),) = recorded.items()
    size = value[0].square().mean(0).sqrt().cpu().numpy()
    return schemas.ActivationMap(
        names=names, name=name, features=value.shape[1], size=encode_floats(size), top=float(np.max(size))
    )
