"""Run folders: the settings of new and resumed runs, and the folder that a run writes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pointillist.checkpoint.files import write_text
from pointillist.errors import CheckpointError, ConfigError, TrainingError
from pointillist.model.pixel_model import PixelModel
from pointillist.model.pretrained import load
from pointillist.system import is_main_process
from pointillist.text_files import read_json
from pointillist.training.config import IntervalsConfig, MachineConfig
from pointillist.training.run_config import RunConfig, with_preset
from pointillist.training.settings_tree import Tree, assign, flatten, merge, read_toml

RUN_FILE = "run.toml"
RESUMABLE = {
    "data.source",
    "train.epochs",
    "train.steps",
    *(f"train.machine.{name}" for name in MachineConfig.model_fields),
    *(f"train.intervals.{name}" for name in IntervalsConfig.model_fields),
}
"""Settings that may change when a run is resumed: its length, hardware and intervals."""
SETTINGS = ("likelihood", "mixtures", "position_channels", "order_channels", "level_channels")
"""Settings of the model that fine-tuning takes over."""
INHERITED = ("size", "resize_mode", "resample", "binarise", "threshold")
"""Data settings that a fine-tuned model takes over from its source, unless they are given."""


def new_run(tree: Mapping[str, Any]) -> tuple[RunConfig, PixelModel | None]:
    """Resolve the settings of a new run: defaults < source model < preset < `tree`.

    Args:
        tree: settings of the run file and the overrides.

    Returns:
        The run, and the model that fine-tuning starts from.

    Raises:
        ConfigError: if a setting is wrong.
        CheckpointError: if the model to start from cannot be loaded.
    """
    chosen = with_preset(dict(tree))
    run = RunConfig.from_dict(chosen)
    if run.model.init_from is None:
        return run, None
    source = load(run.model.init_from)
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
    data = recorded_settings(source).get("data", {})
    return {"model": model, "data": {k: data[k] for k in INHERITED if k in data}}


def recorded_settings(model: PixelModel) -> Tree:
    """Return the settings of the run that trained a model; empty where there is no record."""
    record = model.training_record.get("record", {})
    return record if isinstance(record, dict) else {}


def resumed_run(out: Path, overrides: Mapping[str, Any]) -> RunConfig:
    """Read the settings of the run in a folder, with overrides that leave it the same run.

    Args:
        out: folder of the run.
        overrides: tree of settings.

    Raises:
        ConfigError: if an override would make it another run.
        TrainingError: if the folder holds no run.
    """
    changes = dict(flatten(overrides))
    for key, value in changes.items():
        if key not in RESUMABLE:
            raise ConfigError(
                f"`{key}` (={value}) cannot change when a run is resumed: leave it out, or start another run, "
                f"for example from these weights with `init_from={out}`."
            )
    if not (out / RUN_FILE).is_file():
        raise TrainingError(f"{out} holds no run to resume (no {RUN_FILE}): check `out`, or start without `resume`.")
    tree = read_toml(out / RUN_FILE)
    if "train.epochs" in changes:
        tree.get("train", {}).pop("steps", None)
    for key, value in changes.items():
        assign(tree, key, value)
    assign(tree, "train.out", str(out))
    if tree["train"].get("batch_size") == "auto":
        assign(tree, "train.batch_size", _saved_batch_size(out))
    return RunConfig.from_dict(tree)


def _saved_batch_size(out: Path) -> Any:
    """Read what `auto` was resolved to: with another batch size the images would come in another order."""
    for path in sorted((out / "state").glob("step-*/state.json"), reverse=True):
        try:
            return read_json(path, "resume from an older one", CheckpointError)["batch_size"]
        except (OSError, CheckpointError, KeyError, TypeError):
            continue
    return "auto"


def check_new_folder(out: Path) -> None:
    """Check that a folder holds neither a run nor a model.

    Raises:
        ConfigError: naming the remedies.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"`out` (={out}) is a file: give the name of a folder.")
    if (out / "state").exists():
        raise ConfigError(f"{out} already holds a run: add `resume` to continue it, or choose another `out`.")
    if (out / "config.json").exists():
        raise ConfigError(f"{out} already holds a model: choose another `out`, or fine-tune it with `init_from={out}`.")


@contextmanager
def run_folder(run: RunConfig, header: str, resume: bool) -> Iterator[None]:
    """Make the folder of a run with its `run.toml`; a run that fails before its first checkpoint leaves no folder.

    Args:
        header: comment at the top of `run.toml`.
    """
    out = run.train.out
    if out is None or not is_main_process():
        yield
        return
    made = [p for p in (out, *out.parents) if not p.exists()]
    write_text(out / RUN_FILE, run.to_toml(header))
    try:
        yield
    except BaseException:
        if not resume and not (out / "state").exists():
            (out / RUN_FILE).unlink(missing_ok=True)
            for folder in made:
                if any(folder.iterdir()):
                    break
                folder.rmdir()
        raise
