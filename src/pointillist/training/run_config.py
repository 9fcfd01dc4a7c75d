"""A run as one TOML file: the model, the images, the training. Everything resolved, so that it can be run again."""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pointillist.data import DataOptions, parse_size
from pointillist.distributions.likelihoods import LikelihoodName
from pointillist.errors import ConfigError
from pointillist.networks import entry
from pointillist.ordering import parse_orders
from pointillist.training.captions import CaptionSettings
from pointillist.training.config import TrainConfig

Tree = dict[str, Any]
UNSET = "none"  # TOML has no null: this word empties a setting that may be empty


class ModelSection(BaseModel):
    """`[model]`: what is built.

    Attributes:
        type, preset: a name and a size from `pointillist models`.
        likelihood, mixtures, position_width, label_width, level_width, orders: see `ModelConfig`.
        hint: what it is given beforehand, made of the image: `lowres:2`, `grey`, `outline` or `half:left`; data may
            bring hints of their own instead (`data.hint_column`).
        text: how captions are heard: `use`, `learned`, `use+learned`, `minilm:FOLDER`, `clip:FOLDER`, each also
            with `+tokens` (cross-attention), or `off`; `auto` is `use` where the images have captions.
        attribute_width, vector_width, hint_width, text_width: features of each condition.
        text_dropout: probability, on the features of text, against learning captions by heart.
        init: a model whose weights are taken at the start (fine-tuning).
        network: settings of the network; they override the preset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "gated-pixelcnn"
    preset: str | None = None
    likelihood: LikelihoodName = "auto"
    mixtures: int = Field(10, ge=1, le=1024)
    position_width: int = Field(0, ge=0, le=1024)
    label_width: int = Field(64, ge=1, le=8192)
    level_width: int = Field(16, ge=1, le=1024)
    hint: str | None = None
    text: str = "auto"
    text_width: int = Field(64, ge=1, le=8192)
    text_dropout: float = Field(0.1, ge=0, lt=1)
    attribute_width: int = Field(16, ge=1, le=8192)
    vector_width: int = Field(64, ge=1, le=8192)
    hint_width: int = Field(32, ge=1, le=1024)
    orders: tuple[str, ...] = ("raster",)
    init: str | None = None
    network: dict[str, Any] = Field(default_factory=dict)

    @field_validator("orders", mode="before")
    @classmethod
    def _known(cls, orders: Any) -> Any:
        """A list of names, or a text with commas."""
        return parse_orders(orders)


class DataSection(DataOptions):
    """`[data]`: where the images come from, and how they are read."""

    source: str | None = None

    @field_validator("size", mode="before")
    @classmethod
    def _any_spelling(cls, size: Any) -> Any:
        """32, "32", "48x64" and [48, 64] all say a size."""
        if isinstance(size, (int, str)) and not isinstance(size, bool):
            return parse_size(str(size))
        return size

    @property
    def options(self) -> DataOptions:
        """What `load_data` takes."""
        return DataOptions(**self.model_dump(exclude={"source"}))


class RunConfig(BaseModel):
    """The settings of a run; see the three sections."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelSection
    data: DataSection
    train: TrainConfig

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> RunConfig:
        """The run that a tree of settings describes.

        Raises:
            ConfigError: naming the first setting that is wrong by its dotted key, with close spellings.
        """
        _check_keys(tree, _sections(), "")
        _check_keys(tree.get("model", {}), ModelSection.model_fields, "model.")
        _check_keys(tree.get("data", {}), DataSection.model_fields, "data.")
        _check_keys(tree.get("train", {}), TrainConfig.model_fields, "train.")
        captions = tree.get("train", {}).get("captions", {})
        _check_keys(captions, CaptionSettings.model_fields, "train.captions.")
        model: ModelSection = _section(ModelSection, tree, "model")
        _check_keys(model.network, entry(model.type).backbone.Config.model_fields, "model.network.")
        data: DataSection = _section(DataSection, tree, "data")
        train: TrainConfig = _section(TrainConfig, tree, "train")
        return cls(model=model, data=data, train=train)

    def to_dict(self) -> Tree:
        """The tree of all settings that are not empty, in values that TOML and JSON know."""
        tree = {name: _without_none(getattr(self, name).model_dump(mode="json")) for name in _sections()}
        if self.data.source is not None:  # what a reader looks for comes first
            tree["data"] = {"source": self.data.source, **tree["data"]}
        return tree

    def to_toml(self, header: str = "") -> str:
        """The run as a file: `from_dict(read_toml(...))` gives it back."""
        import tomli_w

        comment = "".join(f"# {line}\n" for line in header.splitlines())
        return comment + tomli_w.dumps(self.to_dict())


def read_toml(path: Path) -> Tree:
    """The settings in a file.

    Raises:
        ConfigError: if it is not there or not TOML.
    """
    if not path.is_file():
        raise ConfigError(f"There is no settings file {path}: give a TOML file, such as the run.toml of a run folder.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML ({error}): correct it.") from error


def parse_assignment(text: str) -> tuple[str, Any]:
    """`a.b=value` as a dotted key and a TOML value; a bare word is a string.

    Raises:
        ConfigError: if there is no key or no `=`.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not re.fullmatch(r"\w+(\.\w+)+", key):
        raise ConfigError(f"`--set` (={text!r}) must be SECTION.NAME=VALUE, for example train.lr=1e-3.")
    return key, parse_value(value.strip())


def parse_value(text: str) -> Any:
    """A TOML value; anything that is none is taken as a string."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def assign(tree: Tree, key: str, value: Any) -> None:
    """Set a dotted key of a tree in place.

    Raises:
        ConfigError: if a part of the key before the last is no section.
    """
    *sections, name = key.split(".")
    for depth, section in enumerate(sections):
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(
                f"`{key}` is not a setting: `{'.'.join(sections[: depth + 1])}` holds a value, not settings."
            )
    tree[name] = value


def merge(*trees: Mapping[str, Any]) -> Tree:
    """One tree of several; what comes later wins, setting by setting."""
    out: Tree = {}
    for tree in trees:
        for key, value in tree.items():
            if isinstance(value, Mapping) and isinstance(out.get(key), dict):
                out[key] = merge(out[key], value)
            else:
                out[key] = copy.deepcopy(value)
    return out


def _sections() -> tuple[str, ...]:
    return tuple(RunConfig.model_fields)


def _check_keys(tree: Any, known: Mapping[str, Any] | Sequence[str], prefix: str) -> None:
    if not isinstance(tree, Mapping):
        raise ConfigError(f"`{prefix.rstrip('.')}` (={tree!r}) must hold settings, as a TOML table.")
    for key in tree:
        if key not in known:
            close = difflib.get_close_matches(key, list(known), n=2, cutoff=0.5)
            if close:
                remedy = f"did you mean {' or '.join(f'`{prefix}{name}`' for name in close)}?"
            else:
                remedy = f"choose one of {', '.join(known)}."
            raise ConfigError(f"`{prefix}{key}` is not a setting: {remedy}")


def _section(kind: type[Any], tree: Mapping[str, Any], name: str) -> Any:
    """One section, checked; a fault is told by its dotted key."""
    fields = kind.model_fields
    given = {k: v for k, v in tree.get(name, {}).items() if not (v == UNSET and fields[k].default is None)}
    try:
        return kind(**given)
    except ConfigError as error:  # the sections of others word their faults themselves, by the bare name
        raise ConfigError(re.sub(r"^`(?=\w+`)", f"`{name}.", str(error))) from None
    except ValidationError as error:
        raise ConfigError(_sentence(error, name)) from None


def _sentence(error: ValidationError, section: str) -> str:
    faults = error.errors(include_url=False)
    place = _place(faults[0]["loc"])
    messages = [fault["msg"] for fault in faults if _place(fault["loc"]) == place]
    rules = dict.fromkeys(text.removeprefix("Input should be ").partition(", unable to")[0] for text in messages)
    return f"`{section}.{place}` (={faults[0]['input']!r}) must be {' or '.join(rules)}."


def _place(loc: tuple[int | str, ...]) -> str:
    """The dotted key of a fault inside a section; alternatives of one type are part of the same setting."""
    return ".".join(map(str, loc[: 2 if loc[0] == "captions" else 1]))


def _without_none(tree: Tree) -> Tree:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in tree.items() if v is not None}
