"""Build an untrained model, and measure what can be built: sizes, conditions and likelihoods of each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pointillist.conditioning import condition_kinds, expand_condition, parse_conditions
from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.distributions.likelihoods import build_likelihood
from pointillist.errors import ConfigError
from pointillist.files.suggestions import remedy
from pointillist.images import ImageSpec
from pointillist.images.ordering import parse_orders
from pointillist.model.config import ModelConfig, default_local_gain
from pointillist.model.folder.files import meta_init
from pointillist.model.folder.settings import ModelSettings
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import ModelEntry, config_from_dict, entry
from pointillist.system import check_memory

_SETTINGS = tuple(name for name in ModelSettings.model_fields if name != "conditions")
_SHORT = {"classes": "label"}  # keyword of `build` for a kind of condition, where it is not the kind itself
SHAPE, LEVELS = (1, 28, 28), 256  # images for which our sizes are counted; a paper's are for its own images
KINDS: Mapping[str, ImageSpec] = {
    "binary": ImageSpec.infer((1, 8, 8), 2),
    "grey, RGB, RGBA": ImageSpec.infer((3, 8, 8)),
    "palette, codes": ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False),
}
# conditions of a model, and the smallest settings that ask for each
_CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "labels": {"classes": 2},
    "attributes": {"attributes": {"hair": 2}},
    "a vector": {"vector": 2},
    "a hint (an image on the same grid)": {"hint": 1},
    "text": {"text": "learned"},
    "its tokens (cross-attention)": {"text": "learned+tokens"},
    "learned positions (they fix the size)": {"position_channels": 2},
}
_ORDERS = {"raster": "raster", "S-curve": "s-curve"}  # each from four corners, along rows or columns: eight of a kind


def build(
    model: str, shape: Sequence[int] | ImageSpec | None = None, *, preset: str | None = None, **settings: Any
) -> PixelModel:
    """Build an untrained model.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 28, 28), levels=16, classes=10, preset="tiny")
    pt.build("pixelcnn-pp", shape=(3, 32, 32), text="use+learned", channels=64, orders="raster-all")
    ```

    Args:
        model: a name from `pointillist.list_models()`.
        shape: `(channels, height, width)`, or a full description such as `data.spec`.
        preset: a size, `tiny`, `small`, `base` or a paper's, such as `paper-cifar10`; `settings` override it.
        settings: with `(channels, height, width)` also `levels` and `ordered` of `ImageSpec`; settings of `ModelConfig`
            (`likelihood`, `mixtures`, `orders`, `position_channels`, ..., and `conditions`, the settings of each by its
            kind, complete: `{"label": {"classes": ("cat", "dog")}}`); short forms of conditions; and settings of the
            network, such as `channels=64, layers=12`. Short forms: `classes`, names of the labels or how many there
            are; `attributes`, names of the values of each, or how many: `{"hair": 3}`; `vector`, its size; `hint`,
            channels of floats, an `ImageSpec`, or a rule such as `"lowres:2"`, `"grey"`, `"outline"`, `"half:left"`;
            `text`, an encoder: `"use"` (also True), `"learned"`, `"use+learned"`, `"minilm:FOLDER"`, `"clip:FOLDER"`,
            each also `"+tokens"` for cross-attention.

    Raises:
        ConfigError: naming the first setting that is wrong.
    """
    values = {name: settings.pop(name) for name in ("levels", "ordered") if name in settings}
    image = shape if isinstance(shape, ImageSpec) else ImageSpec.infer(_checked_shape(shape), **values)
    kinds = condition_kinds()
    short = {name: settings.pop(name) for name in [*_SHORT, *kinds] if name in settings}
    result: dict[str, Any] = dict(parse_conditions(settings.pop("conditions", None) or {}))
    for name, value in short.items():
        empty = isinstance(value, (str, list, tuple, dict)) and not value
        if value is not None and value is not False and not empty:
            kind = _SHORT.get(name, name)
            result[kind] = expand_condition(kind, value, image)
    overrides = {name: settings.pop(name) for name in _SETTINGS if settings.get(name) is not None}
    for name in ("mixtures", "local_gain"):
        settings.pop(name, None)  # None is the default
    if preset is not None:
        chosen = entry(model)
        if overrides.get("likelihood", "auto") == "auto":
            overrides["likelihood"] = chosen.preset_likelihood(image, preset)
        mixtures = chosen.preset_mixtures(preset)
        if mixtures is not None:
            overrides.setdefault("mixtures", mixtures)
        if chosen.paper(preset) is not None:
            overrides.setdefault("local_gain", False)
    fields = tuple(entry(model).backbone.Config.model_fields)
    for unknown in (key for key in settings if key not in fields):
        raise ConfigError(f"`{unknown}` is not a setting of {model}: {remedy('build', unknown, fields)}.")
    # by its name, so that a later change of `auto` changes no stored model
    likelihood = build_likelihood(overrides.get("likelihood", "auto"), image).name
    gain = default_local_gain(model, image, likelihood, parse_orders(overrides.get("orders", "raster")))
    overrides |= {"likelihood": likelihood, "local_gain": overrides.get("local_gain", gain)}
    backbone = config_from_dict(model, settings, preset)
    config = {"model_type": model, "image": image, "backbone": backbone, "conditions": result, **overrides}
    complete = ModelConfig.from_dict(config)
    with meta_init():
        weights = 4 * PixelModel(complete).num_parameters()
    check_memory(weights, f"A {model} of these settings", "choose a smaller `preset`, image or network")
    return PixelModel(complete)


def _checked_shape(shape: Any) -> Any:
    """Check that a shape is given, and is none of numpy's pictures, whose channels come last.

    Raises:
        ConfigError: naming the shape that was meant.
    """
    if shape is None:
        raise ConfigError("`shape` is missing: give (channels, height, width), for example (1, 28, 28).")
    if isinstance(shape, (tuple, list)) and len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] > 4 < shape[1]:
        height, width, channels = shape
        raise ConfigError(
            f"`shape` (={tuple(shape)}) is (channels, height, width), so height and width come last: did you mean "
            f"({channels}, {height}, {width})? For {height} channels of codes give `pt.ImageSpec(...)`."
        )
    return shape


def measure_network(name: str) -> dict[str, Any]:
    """Measure a registered network: the values of a `ModelSummary`, as JSON holds them.

    ```python
    measure_network("pixelcnn")["presets"]["tiny"]
    ```
    """
    result = entry(name)
    return {
        "name": name,
        "summary": result.summary,
        "presets": {preset: _untrained(name, preset).num_parameters() for preset in result.preset_names},
        "training": {preset: dict(paper.train) for preset, paper in result.papers.items()},
        "conditions": [what for what, settings in _CONDITIONS.items() if _builds(name, **settings)],
        "likelihoods": {kind: _fitting(name, image) for kind, image in KINDS.items()},
        "orders": [kind for kind, order in _ORDERS.items() if _builds(name, orders=order)],
    }


def preset_image(model: ModelEntry, preset: str) -> ImageSpec:
    """Kind of image for which the parameters of a preset are counted."""
    paper = model.paper(preset)
    return ImageSpec.infer(SHAPE, LEVELS) if paper is None else ImageSpec.infer(paper.shape, paper.levels)


def _untrained(name: str, preset: str) -> PixelModel:
    with meta_init():  # no memory is taken for its weights
        return build(name, shape=preset_image(entry(name), preset), preset=preset)


def _fitting(name: str, image: ImageSpec) -> list[str]:
    return [n for n in sorted(LIKELIHOODS) if _builds(name, shape=image, likelihood=n)]


def _builds(name: str, shape: ImageSpec = KINDS["binary"], **settings: Any) -> bool:
    try:
        with meta_init():
            build(name, shape, preset="tiny", layers=1, **settings)
    except ConfigError:
        return False
    return True
