"""Settings of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.errors import ConfigError, format_validation_error
from pointillist.training.captions import CaptionSettings

OptimiserName = Literal["adam", "rmsprop"]
ScheduleName = Literal["cosine", "exponential", "constant"]


class TrainConfig(BaseModel):
    """How to train; the defaults can be left alone.

    Attributes:
        epochs, steps: how long; `steps` wins if given.
        batch_size: images a step, over all processes and accumulated parts; `auto` is the largest that fits memory.
        accumulate: parts a step is computed in, to save memory.
        lr, warmup: peak of the learning rate, and steps to reach it.
        schedule: how it goes on: `cosine` to `final_lr` times the peak, `exponential` with a factor `lr_decay` a step,
            or `constant`.
        optimiser: `adam` with `beta1` and `beta2`, or `rmsprop` with `beta2` as the decay of the mean square.
        weight_decay: of kernels, apart from the gradient (AdamW).
        clip: the largest norm of the gradient; 0 for any.
        ema: decay of the average of weights that is evaluated, painted with and saved; 0 for none.
        label_dropout: share of labels that are hidden, so that the model also paints unasked.
        condition_dropout: share of every other condition, and of each attribute, that is hidden likewise.
        all_dropout: share of images from which everything is hidden, where there are several conditions.
        captions: how captions are varied each time they are read, `[train.captions]`; see `CaptionSettings`.
        text_noise: length of the noise that is added to the vector of a prompt, whose length is 1.
        flip: mirror half of the images.
        shift: move each image by up to this many pixels each way; what comes in is the darkest level.
        precision: `auto` is bf16 where the hardware is fast at it, fp32 elsewhere. Evaluation is always fp32.
        compile: use `torch.compile`.
        device, threads: where to run; `auto` is a GPU if there is one. 0 threads leaves the choice to torch.
        seed: of weights, order, augmentation and dropout.
        evaluate_every, save_every, sample_every: in steps; 0 is twenty times (save: forty, sheets: five) a run.
        valid_images: at most so many validation images each time; 0 for all.
        tensorboard: also write TensorBoard files (extra `tensorboard`).
        out: the run's folder; None writes nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: float = Field(20.0, gt=0)
    steps: int | None = Field(None, ge=1)
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 16
    accumulate: int = Field(1, ge=1)
    lr: float = Field(2e-3, gt=0)
    warmup: int = Field(200, ge=0)
    schedule: ScheduleName = "cosine"
    final_lr: float = Field(0.01, ge=0, le=1)
    lr_decay: float = Field(0.99999, gt=0, le=1)
    optimiser: OptimiserName = "adam"
    weight_decay: float = Field(0.01, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    clip: float = Field(1.0, ge=0)
    ema: float = Field(0.999, ge=0, lt=1)
    label_dropout: float = Field(0.1, ge=0, lt=1)
    condition_dropout: float = Field(0.1, ge=0, lt=1)
    all_dropout: float = Field(0.1, ge=0, lt=1)
    captions: CaptionSettings = CaptionSettings()
    text_noise: float = Field(0.0, ge=0, le=10)
    flip: bool = False
    shift: int = Field(0, ge=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool = False
    device: str = "auto"
    threads: int = Field(0, ge=0)
    seed: int = Field(0, ge=0)
    evaluate_every: int = Field(0, ge=0)
    save_every: int = Field(0, ge=0)
    sample_every: int = Field(0, ge=0)
    valid_images: int = Field(2000, ge=0)
    tensorboard: bool = False
    out: Path | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        """Settings from a dictionary.

        Raises:
            ConfigError: naming the first setting that is wrong.
        """
        try:
            return cls(**data)
        except ValidationError as error:
            raise ConfigError(format_validation_error(error, "a training setting")) from error

    def total_steps(self, images: int, batch: int) -> int:
        """Number of optimiser steps for a training set of `images`."""
        return self.steps if self.steps is not None else max(1, round(self.epochs * images / batch))
