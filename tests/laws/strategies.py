"""Random models, found through the registries: every network, likelihood, image kind and condition there is."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from pointillist.conditioning import (
    NO_LABEL,
    AttributesConfig,
    ConditionInputs,
    HintConfig,
    KnownConfig,
    LabelConfig,
    MaskedValue,
    TextConfig,
    VectorConfig,
    labels_from_input,
)
from pointillist.distributions.kinds import LikelihoodName
from pointillist.distributions.likelihoods import build_likelihood
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.images.ordering import ORDERS
from pointillist.model.config import ModelConfig, check_local_gain
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import config_from_dict, entry, names
from pointillist.training.setup import ExponentialMovingAverage

Model = TypeVar("Model", bound=nn.Module)

CLASSES = ("cat", "dog", "owl")
ATTRIBUTES = AttributesConfig(values={"hair": ("red", "grey"), "eyes": ("0", "1", "2")}, width=2)
VECTOR = VectorConfig(size=4, width=3)
# words learned with the model; and a frozen encoder, for which `random_text_encoder` stands in
TEXTS = (
    TextConfig(encoder="learned", width=3, buckets=7, length=9),
    TextConfig(encoder="use+learned", fingerprint="0" * 64, size=5, width=3, buckets=7, length=9, ngrams="words"),
    TextConfig(encoder="learned+tokens", width=3, buckets=7, length=9, num_tokens=4, pieces=3),
    TextConfig(encoder="use+tokens", fingerprint="0" * 64, size=5, width=3, num_tokens=3, token_size=6),
)
# floats, ordered and unordered levels; and hints that are made of the image itself, where its kind allows it
HINTS: tuple[int | str | ImageSpec, ...] = (
    2,
    ImageSpec(channels=1, height=1, width=1, levels=5),
    ImageSpec(channels=2, height=1, width=1, levels=3, ordered=False),
    *("lowres:2", "lowres:3", "grey", "outline", "half:left", "half:bottom"),
)
LIKELIHOODS: tuple[LikelihoodName, ...] = tuple(n for n in typing.get_args(LikelihoodName) if n != "auto")

# odd, non-square, one row, one column, one pixel, smaller than the kernels
SIZES = ((1, 1), (1, 5), (5, 1), (2, 3), (3, 2), (4, 3), (3, 5), (5, 4))

# small values of settings, by name; a setting of another name is drawn if it is a switch, and else left at its default
SMALL: dict[str, st.SearchStrategy[Any]] = {
    "channels": st.integers(4, 9),  # mostly not a multiple of the sub-pixels
    "layers": st.integers(1, 4),
    "first_kernel": st.sampled_from([3, 5, 7]),
    "kernel": st.sampled_from([1, 3, 5]),
    "dilations": st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3).map(tuple),
    "head_channels": st.integers(4, 9),
    "dropout": st.sampled_from([0.0, 0.3]),
    "blocks": st.integers(1, 2),
    "heads": st.integers(1, 2),
    "key_channels": st.integers(1, 3),
    "value_channels": st.integers(1, 4),
    "resolutions": st.integers(1, 3),
    "factor": st.integers(2, 4),
    "along": st.sampled_from(["diagonals", "rows"]),
    "small_along": st.sampled_from(["diagonals", "rows"]),
    "small_channels": st.integers(4, 9),
    "small_layers": st.integers(1, 2),
    "map_channels": st.integers(4, 6),
    "row_kernel": st.sampled_from([1, 3, 5]),
    "scales": st.integers(1, 3),
    "context": st.sampled_from([1, 1, 3]),
}
# where a layer is a large thing
FEWER: dict[str, dict[str, st.SearchStrategy[Any]]] = {"pixelcnn-pp": {"layers": st.integers(1, 2)}}


@st.composite
def network_settings(draw: Callable[..., Any], name: str) -> dict[str, Any]:
    """Settings of the network called `name`."""
    chosen: dict[str, Any] = {}
    for field, info in entry(name).backbone.Config.model_fields.items():
        if field in SMALL:
            chosen[field] = draw(FEWER.get(name, {}).get(field, SMALL[field]))
        elif info.annotation is bool:
            chosen[field] = draw(st.booleans())
    return chosen


@st.composite
def image_kinds(draw: Callable[..., Any], max_levels: int = 256) -> ImageSpec:
    """Binary, grey, RGB, RGBA, palette, and grids of codes of 1 to 4 channels, at any small size."""
    height, width = draw(st.sampled_from(SIZES))
    kind = draw(st.sampled_from(["binary", "grey", "rgb", "rgba", "palette", "codes", "pair"]))
    levels = 2 if kind == "binary" else draw(st.sampled_from([n for n in (2, 3, 5, 17, 256) if n <= max_levels]))
    grid = {"height": height, "width": width, "levels": levels}
    if kind == "palette":
        colours = tuple((i * 37 % 256, i, 255 - i, 255) for i in range(levels))
        return ImageSpec(channels=1, ordered=False, mode="palette", palette=colours, **grid)
    if kind == "codes":
        return ImageSpec(channels=draw(st.integers(1, 4)), ordered=False, **grid)
    channels = {"binary": draw(st.integers(1, 4)), "grey": 1, "pair": 2, "rgb": 3, "rgba": 4}[kind]
    return ImageSpec.infer((channels, height, width), levels)


def fitting_likelihoods(image: ImageSpec) -> list[LikelihoodName]:
    """List every likelihood that accepts the image."""
    out = []
    for name in LIKELIHOODS:
        try:
            build_likelihood(name, image)
        except ConfigError:
            continue
        out.append(name)
    return out


def make_model(
    name: str,
    image: ImageSpec,
    settings: dict[str, Any] | None = None,
    *,
    likelihood: LikelihoodName = "auto",
    labels: bool = False,
    position: bool = False,
    attributes: bool = False,
    vector: bool = False,
    hint: HintConfig | None = None,
    text: TextConfig | None = None,
    known: KnownConfig | None = None,
    mixtures: int = 2,
    orders: tuple[str, ...] = ("raster",),
    local_gain: bool | None = None,
) -> PixelModel:
    """A small model in float64, in evaluation mode. Settings that the network does not have are left out."""
    small = {"channels": 6, "layers": 1 if name in FEWER else 3, "first_kernel": 3, "kernel": 3, "head_channels": 6}
    small |= {"blocks": 1, "key_channels": 3, "value_channels": 4}
    small |= {"small_channels": 6, "small_layers": 2, "map_channels": 5}
    small |= {"scales": 1}
    fields = entry(name).backbone.Config.model_fields
    own = {k: v for k, v in {**small, **(settings or {})}.items() if k in fields}
    kinds = {
        "label": LabelConfig(classes=CLASSES, width=3) if labels else None,
        "attributes": ATTRIBUTES if attributes else None,
        "vector": VECTOR if vector else None,
        "hint": hint,
        "text": text,
        "known": known,
    }
    conditions = {kind: settings for kind, settings in kinds.items() if settings is not None}
    config = ModelConfig(
        model_type=name,
        image=image,
        backbone=config_from_dict(name, own),
        likelihood=likelihood,
        mixtures=mixtures,
        conditions=conditions,
        order_channels=3,
        position_channels=2 if position else 0,
        level_channels=3,
        orders=orders,
        local_gain=local_gain,
    )
    return PixelModel(config).double().eval()


def can_have_local_gain(name: str, image: ImageSpec, likelihood: str, orders: tuple[str, ...]) -> bool:
    """Check whether a model accepts `local_gain`."""
    try:
        check_local_gain(name, image, likelihood, orders)
    except ConfigError:
        return False
    return True


def orders_of(name: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw one order, or several of which the first is the one that is checked: any that the network can follow."""
    local = entry(name).backbone.masks_locally
    known = [order.name for order in ORDERS.values() if local or not order.s_curve]
    return st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True).map(tuple)


def fitting_hints(image: ImageSpec) -> list[int | str | ImageSpec]:
    """List every hint that such images can have."""
    out = []
    for hint in HINTS:
        try:
            small_hint(hint, image)
        except ConfigError:
            continue
        out.append(hint)
    return out


def small_hint(hint: int | str | ImageSpec | None, image: ImageSpec) -> HintConfig | None:
    """Build a hint of few features."""
    small = {"width": 3, "layers": 2, "level_channels": 2}
    if isinstance(hint, str):
        return HintConfig.of(hint, image).model_copy(update=small)
    if isinstance(hint, int):
        return HintConfig(channels=hint, **small)
    return None if hint is None else HintConfig(channels=hint.channels, image=hint, **small)


@st.composite
def models(draw: Callable[..., Any], name: str | None = None, max_levels: int = 256, tokens: bool = True) -> PixelModel:
    """Draw a model of any kind, weights in any state, in either mode; no textbook network has `tokens` or a gain."""
    chosen = draw(st.sampled_from(names())) if name is None else name
    image = draw(image_kinds(max_levels))
    torch.manual_seed(draw(st.integers(0, 2**20)))
    text = draw(st.sampled_from([None, *(text for text in TEXTS if tokens or not text.num_tokens)]))
    likelihood, orders = draw(st.sampled_from(fitting_likelihoods(image))), draw(orders_of(chosen))
    gain = tokens and can_have_local_gain(chosen, image, likelihood, orders) and draw(st.booleans())
    model = make_model(
        chosen,
        image,
        draw(network_settings(chosen)),
        likelihood=likelihood,
        labels=draw(st.booleans()),
        position=draw(st.booleans()),
        attributes=draw(st.booleans()),
        vector=draw(st.booleans()),
        hint=small_hint(draw(st.sampled_from([None, *fitting_hints(image)])), image),
        text=text,
        orders=orders,
        local_gain=gain,
    )
    draw(st.sampled_from([keep_initial_weights, randomise_weights, load_random_weights, average_random_weights]))(model)
    return model.train(draw(st.booleans()))


def keep_initial_weights(model: PixelModel) -> None:
    """Keep the weights as built: a mask that is applied by the optimiser only would leak here."""


def randomise_weights(model: Model, scale: float = 0.5) -> Model:
    """Make every weight random, also those under a mask."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * scale)
    return model


def load_random_weights(model: nn.Module) -> None:
    """Load random weights as from a checkpoint."""
    state = {k: torch.randn_like(v) * 0.5 if v.is_floating_point() else v for k, v in model.state_dict().items()}
    model.load_state_dict(state)


def average_random_weights(model: nn.Module) -> None:
    """Take the average of two sets of random weights."""
    average = ExponentialMovingAverage(model, 0.5)
    randomise_weights(model)
    average.update(100)
    average.copy_to_model()


def random_levels(model: PixelModel, count: int, height: int | None = None, width: int | None = None) -> Tensor:
    """Draw random images of a model's kind."""
    image = model.image
    return torch.randint(0, image.levels, (count, image.channels, height or image.height, width or image.width))


def random_inputs(
    model: PixelModel, count: int, height: int | None = None, width: int | None = None
) -> ConditionInputs:
    """Draw a value of every condition of a model, each present or not at random; known pixels are those of no image."""
    height, width = height or model.image.height, width or model.image.width
    config, parts = model.config, dict(model.conditions.inputs(None, count, size=(height, width)).parts)
    values = {}
    attributes, vector = config.condition(AttributesConfig), config.condition(VectorConfig)
    hint, text = config.condition(HintConfig), config.condition(TextConfig)
    if config.classes:
        values["label"] = torch.randint(0, len(config.classes), (count,))
    if attributes is not None:
        sizes = attributes.values.values()
        values["attributes"] = torch.stack([torch.randint(0, len(v), (count,)) for v in sizes], 1)
    if vector is not None:
        values["vector"] = torch.randn(count, vector.size, dtype=torch.float64)
    if hint is not None:
        shape = (count, hint.channels, height, width)
        spec = hint.image
        values["hint"] = torch.randn(shape).double() if spec is None else torch.randint(0, spec.levels, shape)
    if "text" in parts and text is not None:
        values["text"] = torch.nn.functional.normalize(torch.randn(count, text.size, dtype=torch.float64))
    if "words" in parts and text is not None:
        values["words"] = torch.randint(-1, text.buckets, (count, text.length))
    if "tokens" in parts and text is not None:
        words = torch.randint(-1, text.buckets, (count, text.num_tokens, text.pieces))
        states = torch.randn(count, text.num_tokens, text.token_size, dtype=torch.float64)
        values["tokens"] = states if text.token_size else words
    drawn = {n: MaskedValue(v.numpy(), (torch.rand(parts[n].known.shape) < 0.7).numpy()) for n, v in values.items()}
    return ConditionInputs(count, {**parts, **drawn})


def random_conditions(
    model: PixelModel,
    count: int,
    height: int | None = None,
    width: int | None = None,
    *,
    sure: bool = False,
    encoder: bool = False,
) -> dict[str, Any]:
    """Draw the same as keywords of `log_prob` and `sample`: some conditions or, if `sure`, all of them.

    A model with a frozen text encoder gets prompts only if there is an `encoder`; see `random_text_encoder`.
    """
    parts, config = random_inputs(model, count, height, width).parts, model.config
    found: dict[str, Any] = {}
    if "label" in parts:
        found["label"] = labels_from_input(parts["label"], count)
    attributes, text = config.condition(AttributesConfig), config.condition(TextConfig)
    if attributes is not None:
        numbers = np.where(parts["attributes"].known, parts["attributes"].values, NO_LABEL)
        found["attributes"] = {name: numbers[:, i] for i, name in enumerate(attributes.values)}
    if text is not None and (encoder or not text.frozen) and (sure or torch.rand(()) < 0.7):
        words = ("red", "cat", "a", "blue")  # `scenes` knows all: it samples an unknown word as another
        found["text"] = [" ".join(words[i] for i in torch.randint(0, 4, (3,))) for _ in range(count)]
    some = [name for name in ("vector", "hint") if name in parts and (sure or torch.rand(()) < 0.7)]
    return found | {name: parts[name].values for name in some}


def random_guidance(model: PixelModel, count: int, guidance: float) -> dict[str, Any]:
    """Return random conditions, with a guidance that they let change something: 1 without a condition."""
    conditions = random_conditions(model, count)
    conditional = model.conditions.inputs(count=count, **conditions).is_conditional
    return {**conditions, "guidance": guidance if conditional else 1.0}


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute for the length of a block."""
    kept = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, kept)
