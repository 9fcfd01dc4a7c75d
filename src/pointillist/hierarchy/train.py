"""Train a hierarchy stage by stage: the tokenizers, the priors of the codes, the pixels given the codes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pointillist.data import DataSplits
from pointillist.errors import ConfigError, TrainingError, check_name, counted
from pointillist.files.settings_tree import Tree, expand, flatten, merge, parse_section
from pointillist.files.writing import write_text
from pointillist.hierarchy.config import (
    CODES,
    PIXELS,
    TOKENIZER,
    HierarchyFile,
    HierarchyRun,
    TokenizerSection,
    hierarchy_run,
    resumed_hierarchy,
    scale_names,
)
from pointillist.hierarchy.data import Pyramid, encoded, read_codes, read_images
from pointillist.hierarchy.sample import sheet_writer
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer, TokenizerConfig
from pointillist.hierarchy.tokenizers.training import TokenizerTrainer
from pointillist.images import ImageSpec
from pointillist.training.runs.config import RESUMABLE, RUN_FILE
from pointillist.training.runs.from_config import PreparedRun, prepare_run
from pointillist.training.state import check_new_folder, run_lock


@dataclass(frozen=True)
class HierarchyTraining:
    """A run of a hierarchy, ready to train.

    Attributes:
        run: its settings.
        resume: continue the stages in the folder of the run; stages that are not there are started.
        changes: settings of `[train]` that change when stages are resumed.
    """

    run: HierarchyRun
    resume: bool
    changes: Tree

    @classmethod
    def of(
        cls, config: Path | str | Mapping[str, Any] | None, overrides: Mapping[str, Any], *, resume: bool = False
    ) -> HierarchyTraining:
        """Resolve the settings of a run; see `hierarchy_run`.

        Raises:
            ConfigError: if a setting is wrong, or would make a resumed run another one.
            TrainingError: if there is nothing to resume.
        """
        if not resume:
            return cls(hierarchy_run(config, overrides), False, {})
        changes = expand(overrides)
        out = changes.get("train", {}).pop("out", None)
        if out is None:
            raise ConfigError("`resume` needs the folder of the run: give `out`.")
        for key, value in flatten(changes):
            if key not in RESUMABLE or key == "data.source":
                raise ConfigError(f"`{key}` (={value}) cannot change when a hierarchy is resumed: leave it out.")
        if not (Path(out) / RUN_FILE).is_file():
            raise TrainingError(
                f"{out} holds no run to resume (no {RUN_FILE}): check `out`, or start without `resume`."
            )
        return cls(resumed_hierarchy(Path(out)), True, changes)

    def train(self, stage: str | None = None, console: Console | None = None) -> Path:
        """Train all stages, or one; return the folder of the run.

        Args:
            stage: name of a stage, such as `codes`; the tokenizers before it must be trained.
            console: where progress is shown; None is silent.

        Raises:
            ConfigError, DataError, TrainingError: as `pointillist.train_from_config`.
            Interrupted: after Ctrl-C, with the state saved.
        """
        stages, run = self.chosen(stage), self.run
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigError("A hierarchy is trained by one process: start it without torchrun.")
        if not self.resume:
            check_new_folder(run.out)
            if (run.out / RUN_FILE).is_file():
                raise ConfigError(f"{run.out} already holds a run: add `resume` to continue it, or choose `out`.")
        with run_lock(run.out), _run_file(run):
            images = _Images(run)
            HierarchyFile(
                scales=len(run.codes), tokenized=bool(run.tokenizers), pixels=run.pixels is not None,
                data=run.data.model_dump(mode="json", exclude_none=True),
            ).write(run.out)  # fmt: skip
            for name in stages:
                if console is not None:
                    console.print(f"stage      {name}", highlight=False)
                if name.startswith(TOKENIZER):
                    self._train_tokenizer(name, images, console)
                else:
                    self.stage_run(name, images.splits(), images.tokenizers()).train(console)
        return run.out

    def stage_run(self, name: str, pyramids: Mapping[str, Pyramid], tokenizers: list[Tokenizer]) -> PreparedRun:
        """Return the ordinary run of the model of a stage, with its images."""
        run, out = self.run, self.run.out / name
        resumed = self.resume and (out / "state").is_dir()
        settings = run.pixels if name == PIXELS else run.codes[scale_names(CODES, len(run.codes)).index(name)]
        assert settings is not None
        kinds = settings["model"].get("conditions", {})
        splits = DataSplits(
            train=pyramids["train"].of_stage(name, kinds),
            valid=pyramids["valid"].of_stage(name, kinds) if "valid" in pyramids else None,
        )
        if resumed:
            prepared = prepare_run(None, {"train": {**self.changes.get("train", {}), "out": str(out)}}, resume=True)
        else:
            prepared = prepare_run(merge(settings, _hint(pyramids["train"], name)), {})
        header = f"the stage {name} of {run.out / RUN_FILE}: pointillist train --resume --stage {name} --out {run.out}"
        sheet = sheet_writer(name, pyramids.get("valid", pyramids["train"]), tokenizers)
        return replace(prepared, images=splits, header=header, write_samples=sheet)

    def tokenizer_trainer(
        self, name: str, splits: DataSplits, finer: Tokenizer | None, console: Console | None = None
    ) -> TokenizerTrainer:
        """Return the loop of a tokenizer.

        Args:
            splits: images, or codes of the finer scale.
            finer: tokenizer of these codes.
        """
        names = scale_names(TOKENIZER, len(self.run.tokenizers))
        section = self.run.tokenizers[names.index(name)]
        train = splits.get("train")
        config = section.train
        if self.changes:
            tree = merge(section.train.model_dump(mode="json", exclude_none=True), self.changes.get("train", {}))
            config = parse_section(type(section.train), tree, name)
        torch.manual_seed(config.seed)
        tokenizer = Tokenizer(tokenizer_config(section, train.spec, finer))
        return TokenizerTrainer(tokenizer, train, splits.valid, config, console)

    def _train_tokenizer(self, name: str, images: _Images, console: Console | None) -> None:
        finer = images.tokenizers(before=name)
        trainer = self.tokenizer_trainer(name, images.below(finer), finer[-1] if finer else None, console)
        state = self.run.out / name / "state"
        damaged: tuple[str, ...] = ()
        if self.resume and state.is_dir():
            damaged = trainer.resume()
        elif state.is_dir():
            raise ConfigError(f"{state.parent} already holds a run: add `resume` to continue it.")
        if console is not None:
            console.print(f"model      {trainer.tokenizer}, {counted(trainer.total, 'step')}", highlight=False)
            for line in damaged:
                console.print(f"warning    a newer checkpoint is left out: {line}", highlight=False)
            if trainer.progress.step:
                console.print(f"resumed at step {trainer.progress.step:,} of {trainer.total:,}", highlight=False)
        trainer.run()

    def chosen(self, stage: str | None) -> tuple[str, ...]:
        """Return the stages to train: all, or the one of this name.

        Raises:
            ConfigError: if there is no such stage.
        """
        if stage is None:
            return self.run.stages
        check_name("Unknown `stage`", stage, self.run.stages)
        return (stage,)


class _Images:
    """Images of a run, read once, with their codes once the tokenizers are trained."""

    def __init__(self, run: HierarchyRun) -> None:
        self.run = run
        self._own = None if run.tokenizers else read_codes(run)
        self._images = read_images(run) if run.tokenizers else DataSplits()
        self._encoded: dict[str, Pyramid] | None = None

    def tokenizers(self, before: str | None = None) -> list[Tokenizer]:
        """Load the tokenizers; only of finer scales than `before`, if it is given."""
        names = scale_names(TOKENIZER, len(self.run.tokenizers))
        names = names if before is None else names[: names.index(before)]
        for name in names:
            if not (self.run.out / name / "config.json").is_file():
                raise TrainingError(f"{self.run.out} has no trained `{name}`: train this stage first.")
        return [Tokenizer.load(self.run.out / name) for name in names]

    def below(self, tokenizers: list[Tokenizer]) -> DataSplits:
        """Return what the next tokenizer encodes: the images, or the codes of the last of these."""
        if not tokenizers:
            return self._images
        result = {name: encoded(self._images.get(name), tokenizers).codes[-1] for name in self._images.names}
        return DataSplits(train=result["train"], valid=result.get("valid"))

    def splits(self) -> Mapping[str, Pyramid]:
        """Return images with their codes, by split."""
        if self._own is not None:
            return self._own
        if self._encoded is None:
            tokenizers = self.tokenizers()
            names = [name for name in ("train", "valid") if name in self._images.names]
            self._encoded = {name: encoded(self._images.get(name), tokenizers) for name in names}
        return self._encoded


def tokenizer_config(section: TokenizerSection, image: ImageSpec, finer: Tokenizer | None) -> TokenizerConfig:
    """Complete the settings of a tokenizer by what it encodes.

    Raises:
        ConfigError: if they do not fit.
    """
    fields = {name: getattr(section, name) for name in type(section).model_fields if name != "train"}
    levels = None if finer is None else finer.fsq.levels
    return TokenizerConfig.from_dict({**fields, "image": image, "finer_levels": levels})


def _hint(pyramid: Pyramid, name: str) -> Tree:
    """Return the settings of the hint of a stage: its channels, and the meaning of its integers."""
    names = scale_names(CODES, len(pyramid.codes))
    scale = 0 if name == PIXELS else names.index(name) + 1
    if scale == len(names):
        return {}
    hint = pyramid.hints[scale]
    result: Tree = {"channels": hint.channels}
    if hint.image is not None:
        result["image"] = hint.image.model_dump(mode="json", exclude_none=True)
    return {"model": {"conditions": {"hint": result}}}


@contextmanager
def _run_file(run: HierarchyRun) -> Iterator[None]:
    """Write the settings of a run; if it fails before a stage has begun, they are removed."""
    path = run.out / RUN_FILE
    new = not path.is_file()
    if new:
        write_text(path, run.to_toml())
    try:
        yield
    except BaseException:
        if new and not any((run.out / stage / "state").is_dir() for stage in run.stages):
            for name in (RUN_FILE, "hierarchy.json"):
                (run.out / name).unlink(missing_ok=True)
        raise
