"""Build a model, or load one: by bundled name, folder, or `hf:user/model`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pointillist.conditioning import condition_kinds, expand_condition, parse_conditions
from pointillist.distributions.registry import build_likelihood
from pointillist.errors import ConfigError, not_a_model
from pointillist.files.suggestions import check_keywords, remedy
from pointillist.images import ImageSpec
from pointillist.images.ordering import parse_orders
from pointillist.model.config import ModelConfig, default_local_gain
from pointillist.model.folder.files import meta_init
from pointillist.model.folder.finding import HUB_KEYWORDS
from pointillist.model.folder.settings import ModelSettings
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import config_from_dict, entry
from pointillist.system import check_memory

_SETTINGS = tuple(name for name in ModelSettings.model_fields if name != "conditions")
_SHORT = {"classes": "label"}  # keyword of `build` for a kind of condition, where it is not the kind itself


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


def as_model(model: PixelModel | str | Path) -> PixelModel:
    """Return a model: itself, or the one that `load` finds under a name or path.

    ```python
    as_model("digits").image
    ```

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(model, (str, Path)):
        return load(model)
    if not isinstance(model, PixelModel):
        raise not_a_model(model)
    return model


def load(source: str | Path, **hub: Any) -> PixelModel:
    """Load the weights of a trained model; `pt.load` is the same where torch is installed.

    ```python
    load("digits").num_parameters()
    ```
    """
    check_keywords("load", hub, HUB_KEYWORDS)
    return PixelModel.from_pretrained(source, **hub)
