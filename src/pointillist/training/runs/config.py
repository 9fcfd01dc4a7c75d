"""Run configs: the model, the images and the training of a run, as one TOML file that can be run again.

A new run fills in the settings of a preset and of the model that it fine-tunes; a resumed run reads its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from pointillist.conditioning import condition_kinds
from pointillist.errors import ConfigError, TrainingError
from pointillist.files.settings_tree import (
    UNSET,
    Tree,
    check_keys,
    expand,
    flatten,
    merge,
    nested,
    parse_section,
    read_toml,
    without_none,
)
from pointillist.training.config import (
    CompletionSettings,
    DataSection,
    IntervalsConfig,
    MachineConfig,
    ModelSection,
    TrainConfig,
)

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel


class RunConfig(BaseModel):
    """All settings of a run.

    ```python
    RunConfig.from_dict({"data": {"source": "uci-digits"}, "train": {"steps": 100}}).to_toml()
    ```

    Attributes:
        model, data, train: the sections of a run file.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    model: ModelSection
    data: DataSection
    train: TrainConfig

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> RunConfig:
        """Build a run config from a tree of settings; missing settings get their defaults.

        Raises:
            ConfigError: naming the first wrong setting by its dotted key, with close spellings.
        """
        check_keys(tree, list(cls.model_fields))
        model = parse_section(ModelSection, _with_conditions(tree.get("model", {})), "model")
        from pointillist.networks import entry

        check_keys(model.network, entry(model.type).backbone.Config, "model.network.")
        data = parse_section(DataSection, tree.get("data", {}), "data")
        train = parse_section(TrainConfig, tree.get("train", {}), "train")
        known = model.conditions.get("known")
        completes = model.init_from is not None or getattr(known, "completion", False)
        if train.completion != CompletionSettings() and not completes:
            raise ConfigError(
                "`train.completion` has masks for a model that completes images, and this one does not: set "
                "`model.conditions.known.completion=True`, or leave it out."
            )
        return cls(model=model, data=data, train=train)

    def to_dict(self) -> Tree:
        """Return the tree of all settings that have a value, in types that TOML and JSON know."""
        tree = {name: without_none(getattr(self, name).model_dump(mode="json")) for name in type(self).model_fields}
        if self.data.source is not None:  # the setting a reader looks for comes first
            tree["data"] = {"source": self.data.source, **tree["data"]}
        return tree

    def to_toml(self, header: str = "") -> str:
        """Write the run as TOML; `from_dict` of the parsed text gives the same run.

        Args:
            header: comment lines above the settings.
        """
        import tomli_w

        comment = "".join(f"# {line}\n" for line in header.splitlines())
        return comment + tomli_w.dumps(self.to_dict())


def _with_conditions(section: Any) -> Any:
    """Parse the table of each condition, so that a wrong setting is named by its whole key."""
    tables = section.get("conditions") if isinstance(section, Mapping) else None
    if not isinstance(tables, Mapping):
        return section
    kinds = condition_kinds()
    parsed = {
        kind: parse_section(kinds[kind], table, f"model.conditions.{kind}")
        if kind in kinds and isinstance(table, Mapping)
        else table
        for kind, table in tables.items()
    }
    return {**section, "conditions": parsed}


def with_preset(tree: Tree) -> Tree:
    """Put the settings of a paper's preset below a tree of settings: those in `tree` win.

    The preset of a paper sets the mixtures, optimiser, schedule, batch size and weight average of its authors. A tree
    with mistakes is returned unchanged, for `RunConfig.from_dict` to report them.

    Raises:
        ConfigError: if the model or its preset does not exist.
    """
    section = tree.get("model")
    if not isinstance(section, Mapping) or section.get("preset", UNSET) == UNSET:
        return tree
    from pointillist.networks import entry

    paper = entry(str(section.get("type", ModelSection().type))).paper(str(section["preset"]))
    if paper is None:
        return tree
    return overlay({"model": dict(paper.model), "train": expand(paper.train)}, tree)


def overlay(below: Tree, above: Tree) -> Tree:
    """Merge two trees of a run, of which the second wins: its `epochs` also over `steps` of the first.

    Within one tree, `steps` override `epochs`.
    """
    train, length = below.get("train"), above.get("train")
    if isinstance(train, Mapping) and isinstance(length, Mapping) and length.get("epochs") is not None:
        below = {**below, "train": {name: value for name, value in train.items() if name != "steps"}}
    return merge(below, above)


RUN_FILE = "run.toml"
RESUMABLE = {
    "data.source",
    "train.epochs",
    "train.steps",
    *(f"train.machine.{name}" for name in MachineConfig.model_fields),
    *(f"train.intervals.{name}" for name in IntervalsConfig.model_fields),
}
"""Settings that may change when a run is resumed: its length, hardware and intervals."""
SETTINGS = ("likelihood", "mixtures", "local_gain", "position_channels", "order_channels", "level_channels")
"""Settings of the model that fine-tuning takes over."""
INHERITED = ("size", "resize_mode", "resample", "binarise", "threshold")
"""Data settings that a fine-tuned model takes over from its source, unless they are given."""


def new_run(tree: Tree) -> tuple[RunConfig, PixelModel | None]:
    """Resolve the settings of a new run: defaults < source model < preset < `tree`.

    Args:
        tree: settings of the run file and the overrides.

    Returns:
        The run, and the model that fine-tuning starts from.

    Raises:
        ConfigError: if a setting is wrong.
        CheckpointError: if the model to start from cannot be loaded.
    """
    chosen = with_preset(tree)
    run = RunConfig.from_dict(chosen)
    if run.model.init_from is None:
        return run, None
    from pointillist.model.folder.opening import (
        load_weights,  # waits for torch, which the settings by themselves need not
    )

    source = load_weights(run.model.init_from)
    inherited = inherited_settings(source)
    if (
        run.model.preset is not None
        or chosen.get("model", {}).get("type", source.config.model_type) != source.config.model_type
    ):
        del inherited["model"]  # another network: what does not fit is reported when weights are copied
    return RunConfig.from_dict(merge(inherited, chosen)), source


def inherited_settings(source: PixelModel) -> Tree:
    """Collect the settings that a fine-tuned model takes over from its source."""
    config = source.config
    model = {
        "type": config.model_type,
        "network": {k: v for k, v in config.backbone.model_dump(mode="json").items() if v is not None},
        **{name: getattr(config, name) for name in SETTINGS},
    }
    data = source.training_record.data
    return {"model": model, "data": {k: data[k] for k in INHERITED if k in data}}


def resumed_run(out: Path, overrides: Tree) -> RunConfig:
    """Read the settings of the run in a folder, with overrides that leave it the same run.

    Args:
        out: folder of the run.
        overrides: tree of settings.

    Raises:
        ConfigError: if an override would make it another run.
        TrainingError: if the folder holds no run.
    """
    if not (out / RUN_FILE).is_file():
        raise TrainingError(f"{out} holds no run to resume (no {RUN_FILE}): check `out`, or start without `resume`.")
    recorded = read_toml(out / RUN_FILE)
    same = dict(flatten(recorded))
    for key, value in flatten(overrides):
        if key not in RESUMABLE and same.get(key) != value:
            raise ConfigError(
                f"`{key}` (={value}) cannot change when a run is resumed: leave it out, or start another run, "
                f"for example from these weights with `init_from={out}`."
            )
    tree = merge(overlay(recorded, overrides), nested("train.out", str(out)))
    return RunConfig.from_dict(tree)
