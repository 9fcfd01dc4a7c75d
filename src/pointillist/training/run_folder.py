"""Run folders: what settings a run has, whether its folder is free, and what to do when it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError
from pointillist.system.processes import is_main_process

if TYPE_CHECKING:
    from pointillist.model.pretrained import PretrainedPixelModel
    from pointillist.training.run_config import RunConfig, Tree

RUN_FILE = "run.toml"
# a resumed run may be made longer, or run elsewhere; anything else would make it another run
RESUMABLE = {
    "data.source",
    *(f"train.{name}" for name in ("epochs", "steps", "device", "threads", "precision", "compile", "tensorboard")),
    *(f"train.{name}" for name in ("evaluate_every", "save_every", "sample_every", "valid_images")),
}
# how a fine-tuned model's first images were read is how its next ones are read, unless said otherwise
INHERITED = ("size", "resize_mode", "resample", "binarise", "threshold")


def new_run(config: Path | None, typed: list[tuple[str, str, Any]]) -> tuple[RunConfig, PretrainedPixelModel | None]:
    """The settings of a new run, and the model it starts from: defaults < init < preset < TOML < options < `--set`.

    Raises:
        ConfigError, CheckpointError: if a setting is wrong, or the model to start from cannot be loaded.
    """
    from pointillist.model.pretrained import load
    from pointillist.training.presets import with_preset
    from pointillist.training.run_config import RunConfig, assign, merge, read_toml

    chosen: Tree = read_toml(config) if config is not None else {}
    for _, key, value in typed:
        assign(chosen, key, value)
    chosen = with_preset(chosen)
    run = RunConfig.from_dict(chosen)
    if run.model.init is None:
        return run, None
    source = load(run.model.init)
    inherited = inherited_settings(source)
    if (
        run.model.preset is not None
        or chosen.get("model", {}).get("type", source.config.model_type) != source.config.model_type
    ):
        del inherited["model"]  # another network was asked for: what does not fit is told when weights are taken
    return RunConfig.from_dict(merge(inherited, chosen)), source


def inherited_settings(source: PretrainedPixelModel) -> Tree:
    """Settings that a fine-tuned model takes over from its source."""
    config = source.config
    model = {
        "type": config.model_type,
        "network": {k: v for k, v in config.backbone.model_dump(mode="json").items() if v is not None},
        **{k: getattr(config, k) for k in ("likelihood", "mixtures", "position_width", "label_width", "level_width")},
    }
    if config.hint is not None and config.hint.derive is not None:
        model["hint"] = config.hint.derive
    data = recorded_settings(source).get("data", {})
    return {"model": model, "data": {k: data[k] for k in INHERITED if k in data}}


def recorded_settings(model: PretrainedPixelModel) -> Tree:
    """The settings of the run that made a model; empty where there is no record."""
    record = model.training_record.get("record", {})
    return record if isinstance(record, dict) else {}


def resumed_run(out: Path, config: Path | None, typed: list[tuple[str, str, Any]]) -> RunConfig:
    """The settings of the run in a folder, with what may change about it.

    Raises:
        ConfigError: if a setting was typed that would make it another run.
        TrainingError: if the folder holds no run.
    """
    from pointillist.errors import TrainingError
    from pointillist.training.run_config import RunConfig, assign, read_toml

    if config is not None:
        raise ConfigError(
            f"`--config` (={config}) cannot be used with `--resume`, which reads {out / RUN_FILE}: leave it out."
        )
    for spelling, key, value in typed:
        if key not in RESUMABLE:
            raise ConfigError(
                f"`{spelling}` (={value}) cannot change when a run goes on: leave it out, or start another run, "
                f"for example from these weights with `--init {out}`."
            )
    if not (out / RUN_FILE).is_file():
        raise TrainingError(
            f"{out} holds no run to resume (no {RUN_FILE}): check `--out`, or start without `--resume`."
        )
    tree = read_toml(out / RUN_FILE)
    if any(key == "train.epochs" for _, key, _ in typed):
        tree.get("train", {}).pop("steps", None)
    for _, key, value in typed:
        assign(tree, key, value)
    assign(tree, "train.out", str(out))
    if tree["train"].get("batch_size") == "auto":
        assign(tree, "train.batch_size", _saved_batch_size(out))
    return RunConfig.from_dict(tree)


def _saved_batch_size(out: Path) -> Any:
    """What `auto` was when the state was saved: another size would see the images in another order."""
    for path in sorted((out / "state").glob("step-*/state.json"), reverse=True):
        try:
            return json.loads(path.read_text(encoding="utf-8"))["batch_size"]
        except (OSError, ValueError, KeyError):
            continue
    return "auto"


def check_new_folder(out: Path) -> None:
    """Refuse a folder that already holds a run or a model.

    Raises:
        ConfigError: naming the remedies.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"`--out` (={out}) is a file: give the name of a folder.")
    if (out / "state").exists():
        raise ConfigError(f"{out} already holds a run: add `--resume` to go on with it, or choose another `--out`.")
    if (out / "config.json").exists():
        raise ConfigError(f"{out} already holds a model: choose another `--out`, or fine-tune it with `--init {out}`.")


@contextmanager
def run_folder(run: RunConfig, header: str, resume: bool) -> Iterator[None]:
    """The run's folder with its `run.toml`; a run that fails before it has anything to keep leaves nothing."""
    from pointillist.checkpoint.files import write_text

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
