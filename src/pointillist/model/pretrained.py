"""Make a model, or load one: by shipped name, folder, or hub id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from pointillist.checkpoint.encoding import decode_tensors, encode_tensors, expanded_shapes
from pointillist.checkpoint.files import (
    CARD,
    CONFIG,
    WEIGHTS,
    check_config_hash,
    read_config,
    read_tensor_info,
    read_tensors,
    write_model,
)
from pointillist.checkpoint.meta_init import meta_init
from pointillist.conditioning import AttributesConfig, HintConfig, TextConfig, VectorConfig
from pointillist.distributions.likelihoods import LikelihoodName
from pointillist.errors import CheckpointError, ConfigError
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import ModelConfig, PixelModel
from pointillist.networks import config_from_dict, entry
from pointillist.zoo import list_pretrained, resolve

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class PretrainedPixelModel(PixelModel, ModelHubMixin):
    """A pixel model that can be saved to a folder, pushed to the hub, and loaded from either.

    Attributes:
        card: text of the model card (Markdown, with its YAML header).
        training: the resolved settings of the run that made it; empty for an untrained model.
    """

    def __init__(self, config: ModelConfig, *, training: dict[str, Any] | None = None, card: str | None = None) -> None:
        super().__init__(config)
        self.training_record: dict[str, Any] = training or {}
        self.card = card

    def save_pretrained(
        self, save_directory: str | Path, *, repo_id: str | None = None, push_to_hub: bool = False, **kwargs: Any
    ) -> str | None:
        """Write `model.safetensors`, `config.json` and the model card; each file appears whole or not at all.

        A rounded model (`quantize_weights`) is written in as few bytes as give its weights back to the bit.
        """
        folder = Path(save_directory)
        config: dict[str, Any] = self.config.model_dump(mode="json")
        if self.training_record:
            config["training"] = self.training_record
        write_model(folder, encode_tensors(self.state_dict()), config, self.card or default_card(self))
        if push_to_hub:
            pushed: str = self.push_to_hub(repo_id=repo_id or folder.name, **kwargs)
            return pushed
        return None

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **hub: Any) -> PretrainedPixelModel:
        """The same as `load`, which checks everything the mixin would."""
        return load(pretrained_model_name_or_path, **hub)


def build(
    model: str,
    *,
    shape: Sequence[int] | None = None,
    levels: int = 256,
    ordered: bool = True,
    image: ImageSpec | None = None,
    preset: str | None = None,
    classes: int | Sequence[str] = (),
    attributes: Mapping[str, int | Sequence[str]] | AttributesConfig | None = None,
    vector: int | VectorConfig | None = None,
    hint: int | str | ImageSpec | HintConfig | None = None,
    text: bool | str | TextConfig = False,
    likelihood: LikelihoodName = "auto",
    mixtures: int | None = None,
    position_width: int = 0,
    label_width: int = 64,
    level_width: int = 16,
    orders: str | Sequence[str] = ("raster",),
    **settings: Any,
) -> PretrainedPixelModel:
    """An untrained model.

    Args:
        model: a name from `pointillist.models()`.
        shape: `(channels, height, width)`; or give a full `image` description.
        levels, ordered: values of a sub-pixel, and whether they are quantities or names.
        preset: a size, `tiny`, `small`, `base` or a paper's, such as `paper-cifar10`; `settings` override it.
        classes: names of the labels, or how many there are.
        attributes: names of the values of each attribute, or how many there are: `{"hair": 3}`.
        vector: numbers in the vector that it listens to.
        hint: the image that it is given beforehand, on the same grid: channels of floats, a description of its
            integers, or how it is made of an image: `lowres:2`, `grey`, `outline`, `half:left`.
        text: how it listens to prompts: `use` (also True), `learned`, `use+learned`, `minilm:FOLDER`,
            `clip:FOLDER`; with `+tokens` every site also asks the tokens one by one (cross-attention).
        likelihood, mixtures, position_width, label_width, level_width: see `ModelConfig`.
        orders: in which it is trained, by name; also a text with commas, and `raster-all` or `s-curve-all` for eight.
        settings: settings of the network, such as `channels=64, layers=12`.

    Raises:
        ConfigError: naming the first setting that is wrong.
    """
    if image is None:
        if shape is None:
            raise ConfigError("`shape` is missing: give (channels, height, width), for example (1, 28, 28).")
        image = ImageSpec.infer(shape, levels, ordered)
    if preset is not None:
        chosen = entry(model)
        likelihood = chosen.preset_likelihood(image) if likelihood == "auto" else likelihood
        mixtures = chosen.preset_mixtures(preset) if mixtures is None else mixtures
    config = ModelConfig.from_dict(
        {
            "model_type": model,
            "image": image,
            "backbone": config_from_dict(model, settings, preset),
            "likelihood": likelihood,
            "mixtures": 10 if mixtures is None else mixtures,
            "classes": _named(classes),
            **conditions(image, attributes, vector, hint, text),
            "position_width": position_width,
            "label_width": label_width,
            "level_width": level_width,
            "orders": orders,
        }
    )
    return PretrainedPixelModel(config)


def conditions(
    image: ImageSpec,
    attributes: Mapping[str, int | Sequence[str]] | AttributesConfig | None,
    vector: int | VectorConfig | None,
    hint: int | str | ImageSpec | HintConfig | None,
    text: bool | str | TextConfig = False,
) -> dict[str, Any]:
    """Settings of what a model listens to, in the short forms that `build` takes.

    Raises:
        ConfigError: if a hint cannot be made of such images.
    """
    heard: dict[str, Any] = {"attributes": attributes or None, "vector": vector, "hint": hint, "text": text or None}
    if isinstance(text, (bool, str)) and text:
        heard["text"] = TextConfig.of("use" if text is True else text)
    if isinstance(attributes, Mapping) and attributes:
        heard["attributes"] = {"values": {name: _named(values) for name, values in attributes.items()}}
    if isinstance(vector, int):
        heard["vector"] = {"size": vector}
    if isinstance(hint, str):
        heard["hint"] = HintConfig.derived(hint, image)
    elif isinstance(hint, ImageSpec):
        heard["hint"] = {"channels": hint.channels, "image": hint}
    elif isinstance(hint, int):
        heard["hint"] = {"channels": hint}
    return heard


def _named(values: int | Sequence[str]) -> tuple[str, ...]:
    return tuple(str(i) for i in range(values)) if isinstance(values, int) else tuple(values)


def load(source: str | Path, **hub: Any) -> PretrainedPixelModel:
    """A trained model, in evaluation mode.

    Args:
        source: a model folder, a shipped name (where no model folder has it), or a hub id such as `user/model`.
        hub: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only` of the download.

    Raises:
        CheckpointError: if it is not there, not one of ours, damaged, or would have to run code to be opened.
    """
    folder = _folder(str(source), hub)
    record = read_config(folder)
    training = record.pop("training", {})
    if not isinstance(training, dict):
        raise CheckpointError(f'{folder / CONFIG} is damaged: "training" must be a table.')
    layout = read_tensor_info(folder / WEIGHTS)
    try:
        config = ModelConfig.from_dict(record)
        expected = _expected_shapes(config)
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG} does not describe a model of this release: {error}") from error
    _compare_shapes(expected, expanded_shapes(layout), folder)
    check_config_hash(folder, record)
    model = PretrainedPixelModel(config, training=training)
    model.load_state_dict(decode_tensors(read_tensors(folder / WEIGHTS)))
    if (folder / CARD).is_file():
        model.card = (folder / CARD).read_text(encoding="utf-8", errors="replace")
    return model.eval()


def _folder(source: str, hub: dict[str, Any]) -> Path:
    found = resolve(source)
    if found is not None:
        return found
    if not _HUB_ID.fullmatch(source):
        known = ", ".join(model.name for model in list_pretrained()) or "none in this release"
        raise CheckpointError(
            f"There is no model {source!r}: give a folder, a hub id `user/model`, or a shipped name ({known})."
        )
    try:
        return Path(snapshot_download(source, allow_patterns=[CONFIG, WEIGHTS, CARD], **hub))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{source!r} is no folder here and could not be fetched from the hub ({reason}): check name and network."
        ) from error


def _expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The tensors that settings promise, without taking memory for them."""
    with meta_init():
        return {name: tuple(t.shape) for name, t in PixelModel(config).state_dict().items()}


def _compare_shapes(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], folder: Path) -> None:
    """Refuse a file whose tensors are not those that its settings promise, before memory is taken for either."""
    wrong = sorted(set(expected) ^ set(found)) or sorted(n for n in expected if expected[n] != found[n])
    if wrong:
        name = wrong[0]
        raise CheckpointError(
            f"{folder / WEIGHTS} does not belong to its {CONFIG}: tensor {name!r} is {found.get(name, 'missing')}, "
            f"expected {expected.get(name, 'none')}; copy the whole folder again."
        )


def default_card(model: PixelModel) -> str:
    """A model card that says what is known without a training run."""
    config = model.config
    image = config.image
    settings = json.dumps(config.backbone.model_dump(mode="json"))
    return f"""---
library_name: pointillist
pipeline_tag: unconditional-image-generation
tags: [pointillist, {config.model_type}]
---

# {config.model_type}, {image.mode} {image.height}x{image.width}, {image.levels} levels

A model that paints an image one pixel at a time, with exact likelihood. Made with Pointillist.

| | |
|---|---|
| model | {config.model_type}, {model.num_parameters:,} parameters |
| image | {image.channels} channel(s), {image.height} x {image.width} |
| levels | {image.levels}, {"ordered" if image.ordered else "unordered"} |
| likelihood | {model.likelihood.name} |
| classes | {len(config.classes) or "none"} |
| listens to | {", ".join(config.describe_conditions()) or "nothing"} |
| orders | {", ".join(config.orders)} |
| network | `{settings}` |

```python
import pointillist as pt

model = pt.load("this-folder-or-hub-id")
pt.sample(model, 16, seed=0).images
```
"""
