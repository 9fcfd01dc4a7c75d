"""Run configs of a hierarchy, and its folder: `hierarchy.json`, and a folder for each stage.

A run config has the images, the tokenizers, and the sections of an ordinary run for each pixel model. A section, its
stage and its folder have one name: `tokenizer`, `codes` and `pixels`; `tokenizer2` and `codes2` are the next coarser
scale of codes, and so on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.conditioning import HintConfig
from pointillist.errors import CheckpointError, ConfigError, format_validation_error
from pointillist.files.checkpoint.header import HIERARCHY_FILE
from pointillist.files.reading import read_json
from pointillist.files.settings_tree import Tree, assign, check_keys, expand, merge, parse_section, read_toml
from pointillist.files.writing import write_text
from pointillist.hierarchy.tokenizers.tokenizer import TokenizerSettings
from pointillist.training.config import AugmentationConfig, DataSection, TrainConfig
from pointillist.training.runs.config import RUN_FILE, RunConfig, with_preset

HIERARCHY = "hierarchy"
"""The value of `--model`."""
PIXELS, CODES, TOKENIZER = "pixels", "codes", "tokenizer"
MAX_SCALES = 8
_STAGE = re.compile(rf"({TOKENIZER}|{CODES})\d*|{PIXELS}")
_PRESETS = {CODES: "small", PIXELS: "tiny"}  # a prior has the whole grid to learn; pixels are close to their codes
# the finer scales are always sampled and scored with the codes before them
_CONDITIONED = {"train": {"condition_dropout": {"other": 0.0, "unconditional": 0.0}}}
_OWN = ("npz_key", "levels")
_HEADER = "pointillist train --config {out}/run.toml --out ANOTHER"


class TokenizerSection(TokenizerSettings):
    """Settings of a tokenizer and of its training: `[tokenizer]`, which adds to `TokenizerSettings`:

    Attributes:
        train: Settings of its training, as in `[train]`.
    """

    train: TrainConfig = TrainConfig()


@dataclass(frozen=True)
class HierarchyRun:
    """A run of a hierarchy, with its settings checked.

    Attributes:
        tree: all settings, as in `run.toml`.
        data: how images are read.
        out: folder of the run.
        tokenizers: settings of each tokenizer, of the finest codes first; none for codes of the user.
        codes: settings of a run for each prior, of the finest codes first: `model`, `data` and `train`.
        pixels: settings of a run for the pixels; None for a hierarchy without a likelihood of pixels.
        own: member of the `.npz` with the codes of each scale, and their number; empty with tokenizers.
    """

    tree: Tree
    data: DataSection
    out: Path
    tokenizers: tuple[TokenizerSection, ...]
    codes: tuple[Tree, ...]
    pixels: Tree | None
    own: tuple[tuple[str, int | None], ...]

    @property
    def flip(self) -> bool:
        """True if every stage trains on each image and its mirror image."""
        return bool(self.tree.get("train", {}).get("augmentation", {}).get("flip", False))

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of all stages, in the order of their training."""
        names = [*scale_names(TOKENIZER, len(self.tokenizers)), *reversed(scale_names(CODES, len(self.codes)))]
        return (*names, *([] if self.pixels is None else [PIXELS]))

    def to_toml(self) -> str:
        """Write the settings as TOML."""
        import tomli_w

        return f"# {_HEADER.format(out=self.out)}\n" + tomli_w.dumps(self.tree)


def scale_names(stem: str, count: int) -> list[str]:
    """Name the sections of a stage for each scale of codes: `codes`, `codes2`, `codes3`."""
    return [stem + (str(scale) if scale > 1 else "") for scale in range(1, count + 1)]


def describes_hierarchy(config: Path | None, settings: Mapping[str, Any], out: Path | None, resume: bool) -> bool:
    """Return True if a command line of `train` is about a hierarchy; mistakes are left to the run that reads it.

    Args:
        config: run file, or None.
        settings: overrides by dotted key.
        out: folder of the run.
        resume: whether the run in `out` is continued.
    """
    if resume:
        config = None if out is None else out / RUN_FILE
    tree: Tree = read_toml(config) if config is not None and config.is_file() else {}
    tree = merge(tree, expand(settings))
    section = tree.get("model")
    return (isinstance(section, Mapping) and section.get("type") == HIERARCHY) or any(map(_STAGE.fullmatch, tree))


def hierarchy_run(config: Path | str | Mapping[str, Any] | None, overrides: Mapping[str, Any]) -> HierarchyRun:
    """Resolve the settings of a new run: defaults < `[train]` < the sections of `config` < `overrides`.

    Args:
        config: TOML file, or a dictionary.
        overrides: settings with nested tables or dotted keys; settings of `train` hold for every stage.

    Raises:
        ConfigError: naming the first wrong setting by its dotted key.
    """
    tree = read_toml(Path(config)) if isinstance(config, (str, Path)) else expand(config or {})
    changes = expand(overrides)
    merged = merge(tree, changes)
    names = [name for name in merged if _STAGE.fullmatch(name)]
    counts = {stem: max([1, *(scale_of(name, stem) for name in names)]) for stem in (TOKENIZER, CODES)}
    brought = any("npz_key" in _table(merged, name) for name in names if name.startswith(CODES))
    scales = counts[CODES] if brought else max(counts.values())
    if scales > MAX_SCALES:
        raise ConfigError(f"A hierarchy of {scales} scales of codes must have at most {MAX_SCALES}.")
    tokenizers = [] if brought else scale_names(TOKENIZER, scales)
    known = ["data", "train", "model", *tokenizers, *scale_names(CODES, scales), PIXELS]
    check_keys(merged, known)
    if dict(_table(merged, "model")) not in ({}, {"type": HIERARCHY}):
        raise ConfigError(
            "[model] holds settings of one model, and a hierarchy has several: set the model of a stage, such as "
            "`codes.model.preset`."
        )
    common = _table(merged, "train")
    out = Path(str(common.get("out") or _default_out(merged)))
    shared = {k: v for k, v in common.items() if k not in ("out", "augmentation")}
    late = {"train": {k: v for k, v in _table(changes, "train").items() if k not in ("out", "augmentation")}}
    resolved: Tree = {"data": merged.get("data", {}), "train": {**common, "out": str(out)}}
    for name in [*tokenizers, *reversed(scale_names(CODES, scales)), PIXELS]:
        base = {} if name == scale_names(CODES, scales)[-1] or name in tokenizers else _CONDITIONED
        place = {"train": {"out": str(out / name)}}
        resolved[name] = merge(base, {"train": shared}, _table(tree, name), late, _table(changes, name), place)
    return _checked(resolved, out, scales, tokenizers)


def resumed_hierarchy(out: Path) -> HierarchyRun:
    """Read the settings of the run in a folder.

    Raises:
        ConfigError: if the folder holds no run, or a setting is wrong.
    """
    tree = read_toml(out / RUN_FILE)
    assign(tree, "train.out", str(out))
    return hierarchy_run(tree, {})


def _checked(tree: Tree, out: Path, scales: int, tokenizers: list[str]) -> HierarchyRun:
    data = parse_section(DataSection, tree["data"], "data")
    if data.source is None:
        raise ConfigError("DATA is missing: give a folder, a file or a name, or `data.source` in a settings file.")
    if data.hint_column is not None:
        raise ConfigError(
            f"`data.hint_column` (={data.hint_column!r}) must be left out: hints of a hierarchy are codes."
        )
    if data.binarise == "dynamic":
        raise ConfigError("`data.binarise` (='dynamic') draws images afresh, which have no fixed codes: use 'static'.")
    parse_section(AugmentationConfig, tree["train"].get("augmentation", {}), "train.augmentation")
    result = [parse_section(TokenizerSection, tree[name], name) for name in tokenizers]
    for name, section in zip(tokenizers, result, strict=True):
        _reject_augmentation(section.train, name)
    stages, members = [], []
    for name in scale_names(CODES, scales):
        key = tree[name].get("npz_key")
        if not tokenizers and key is None:
            raise ConfigError(f"`{name}.npz_key` is missing: name the member of the .npz with the codes of this scale.")
        members += [] if tokenizers else [(str(key), tree[name].get("levels"))]
        stages.append(_stage(tree, name, _OWN if not tokenizers else ()))
    pixels = None if _table(tree[PIXELS], "model").get("type") == "none" else _stage(tree, PIXELS, ())
    if not tokenizers and tree["train"].get("augmentation", {}).get("flip"):
        raise ConfigError("`train.augmentation.flip` mirrors images, and codes that are given cannot be: leave it out.")
    return HierarchyRun(tree, data, out, tuple(result), tuple(stages), pixels, tuple(members))


def _stage(tree: Tree, name: str, further: tuple[str, ...]) -> Tree:
    """Return the settings of the ordinary run of a stage, once they are checked."""
    check_keys(tree[name], ["model", "train", *further], f"{name}.")
    model = _table(tree[name], "model")
    if "preset" not in model and "network" not in model:
        model = {"preset": _PRESETS[name.rstrip("0123456789")], **model}
    stage = {"model": dict(model), "train": tree[name]["train"], "data": tree["data"]}
    try:
        run = RunConfig.from_dict(with_preset(stage))
    except ConfigError as error:
        raise ConfigError(re.sub(r"`(?=(model|train)\.)", f"`{name}.", str(error), count=1)) from None
    _reject_augmentation(run.train, name)
    hint = run.model.condition(HintConfig)
    if hint is not None and (hint.rule or hint.channels or hint.image):
        raise ConfigError(f"`{name}.model.conditions.hint` must leave out rule, channels and image: its hint is codes.")
    return stage


def _reject_augmentation(train: TrainConfig, name: str) -> None:
    for what in ("flip", "random_shift", "mutation_rate"):
        value = getattr(train.augmentation, what)
        if value:
            raise ConfigError(
                f"`{name}.train.augmentation.{what}` (={value}) would change images but not their codes: leave it out; "
                "`train.augmentation.flip` mirrors images before they are encoded."
            )


def scale_of(stage: str, stem: str = CODES) -> int:
    """Return the scale in the name of a stage: 1 for `codes`, 2 for `codes2`; 0 for another stem."""
    number = stage.removeprefix(stem)
    if stage == number or (number and not number.isdigit()):
        return 0
    return int(number[:4]) if number else 1


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    result = tree.get(name, {})
    check_keys(result, list(result) if isinstance(result, Mapping) else [], f"{name}.")
    table: Mapping[str, Any] = result
    return table


def _default_out(tree: Mapping[str, Any]) -> Path:
    source = str(_table(tree, "data").get("source", "images"))
    return Path("runs") / f"{Path(source.replace(':', '-')).stem or 'images'}-{HIERARCHY}"


_FORMAT = {"format": "pointillist-hierarchy", "format_version": 1}


class HierarchyFile(BaseModel):
    """Contents of `hierarchy.json`.

    Attributes:
        scales: scales of codes.
        tokenized: whether tokenizers make the codes; otherwise the user does.
        pixels: whether there is a model of the pixels given the codes.
        data: how the images of the training were read, as in a run file.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    scales: int = Field(ge=1, le=MAX_SCALES)
    tokenized: bool
    pixels: bool
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the folders, in the order of their training."""
        names = scale_names(TOKENIZER, self.scales) if self.tokenized else []
        return (*names, *reversed(scale_names(CODES, self.scales)), *([PIXELS] if self.pixels else []))

    def write(self, folder: Path) -> None:
        """Write the file."""
        write_text(folder / HIERARCHY_FILE, json.dumps({**_FORMAT, **self.model_dump(mode="json")}, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> HierarchyFile:
        """Read the file, and check that each stage has a folder with a model.

        Raises:
            CheckpointError: if the folder is not a hierarchy, is damaged, or is not trained to its end.
        """
        path = folder / HIERARCHY_FILE
        if not path.is_file():
            raise CheckpointError(
                f"{folder} contains no {HIERARCHY_FILE}: give the folder of `pointillist train --model hierarchy`."
            )
        record = read_json(path, "the folder is damaged; copy it again", CheckpointError)
        if not isinstance(record, dict) or {key: record.pop(key, None) for key in _FORMAT} != _FORMAT:
            raise CheckpointError(f"{path} is not of a hierarchy of this release: copy the folder again, or upgrade.")
        try:
            result = cls(**record)
        except (ValidationError, TypeError) as error:
            words = format_validation_error(error, "an entry of it") if isinstance(error, ValidationError) else error
            raise CheckpointError(f"{path} does not describe a hierarchy ({words}): copy the folder again.") from error
        for stage in result.stages:
            if not (folder / stage / "config.json").is_file():
                raise CheckpointError(
                    f"{folder} has no {stage!r} yet: train it with `pointillist train --resume --out {folder}`."
                )
        return result
