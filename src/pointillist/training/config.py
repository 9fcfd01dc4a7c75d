"""Settings of a training run, in groups, and the sections `[model]` and `[data]` of its file. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from pointillist.data.options import DataOptions
from pointillist.errors import ConfigError, quote
from pointillist.files.settings_tree import FrozenSettings, expand, parse_section
from pointillist.model.folder.settings import ModelSettings

OptimizerName = Literal["adam", "muon", "rmsprop"]
ScheduleName = Literal["cosine", "exponential", "constant"]
PrecisionName = Literal["auto", "fp32", "bf16"]


MAX_STEPS = 10**9
"""Most optimiser steps of a run: years, on any machine."""


class _Settings(FrozenSettings):
    what: ClassVar[str] = "a setting of a training"

    @field_validator("*")
    @classmethod
    def _exact_as_float(cls, value: Any) -> Any:
        """Reject integers that floating point does not hold, in which progress and rates are computed."""
        if isinstance(value, int) and abs(value) >= 2**53:
            raise ValueError("Input should be an integer below 2^53")
        return value


class CaptionSettings(_Settings):
    """Settings of `augment_caption`: `[train.captions]`.

    Attributes:
        word_dropout: Probability that a caption of two words or more loses one word.
        part_dropout: Probability of dropping each part between commas; one random part always stays.
    """

    word_dropout: float = Field(0.0, ge=0, lt=1)
    part_dropout: float = Field(0.0, ge=0, lt=1)

    @property
    def is_active(self) -> bool:
        """True if `augment_caption` changes any caption."""
        return bool(self.word_dropout or self.part_dropout)


# the masks that the bundled models were trained with: their draws are repeated to the bit
_MASKS = {
    "neighbours": 0.25,
    "patches": 0.25,
    "nothing_known": 0.17,
    "rectangle": 0.1,
    "half": 0.06,
    "frame": 0.05,
    "strokes": 0.05,
    "scattered": 0.04,
    "few_open": 0.015,
    "few_known": 0.015,
}
MASK_KINDS = (*_MASKS, "sparse", "wells")
"""Kinds of masks of known pixels; each is a function of `pointillist.training.augmentation`."""


class CompletionSettings(_Settings):
    """Masks of known pixels that training draws for models with `--completion`: `[train.completion]`.

    ```toml
    [train.completion]
    masks = { sparse = 0.6, wells = 0.1, rectangle = 0.1, nothing_known = 0.2 }
    density = [0.002, 0.2]
    ```

    Attributes:
        masks: Share of the images that each kind of mask is drawn for, in proportion to their sum: `sparse` (scattered
            known pixels), `wells` (known straight lines), `rectangle`, `half`, `frame`, `strokes` and `patches` (holes
            of this form), `scattered` (open pixels of any density), `neighbours` (the chunks of a world), `few_open`,
            `few_known`, `nothing_known` (whole images).
        density: Least and largest share of known pixels of `sparse` and `wells`; it is drawn log-uniformly.
        marginals: Weight in the loss of the log-probability of each unknown pixel given the known ones alone, where
            `[model.conditions.known]` has `marginals`.
    """

    masks: dict[str, float] = Field(default_factory=lambda: dict(_MASKS))
    density: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]] = (0.002, 0.2)

    marginals: float = Field(0.3, gt=0)

    @field_validator("masks")
    @classmethod
    def _some_mask(cls, value: dict[str, float]) -> dict[str, float]:
        if not value.keys() <= set(MASK_KINDS):
            raise ValueError(f"Input should be shares of {', '.join(MASK_KINDS)}")
        if not (sum(value.values()) > 0 and min(value.values()) >= 0):
            raise ValueError("Input should be shares of kinds, none below 0 and one above 0")
        return value

    @field_validator("density")
    @classmethod
    def _ascending(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("Input should be the least density, then the largest")
        return value


class OptimizerConfig(_Settings):
    """Settings of the optimiser and of the averaged weights: `[train.optimizer]`.

    Attributes:
        name: `muon` (Jordan et al. 2024; convolutions of hidden features step by their orthogonalised mean gradient,
            all other parameters, and all of a network with an LSTM, by AdamW), `adam` (AdamW for all; Loshchilov and
            Hutter 2019) or `rmsprop` (without momentum).
        lr: Peak learning rate. Muon's steps of a kernel are six times as long as AdamW's at this rate, which is
            measured, so the same `lr` suits both.
        beta1: Decay of AdamW's mean gradient; Muon's is 0.95.
        beta2: Decay of the mean squared gradient of AdamW and RMSProp.
        weight_decay: Decoupled weight decay of the kernels; biases, gains and embeddings do not decay.
        clip: Largest norm of the gradient; 0 does not clip.
        ema: Decay of the exponential moving average of weights, which is evaluated and saved; 0 averages nothing.
    """

    name: OptimizerName = "muon"
    lr: float = Field(2e-3, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, ge=0)
    ema: float = Field(0.999, ge=0, lt=1)


class ScheduleConfig(_Settings):
    """Settings of the learning rate schedule: `[train.schedule]`.

    Attributes:
        name: `cosine` to `final_lr` times the peak, `exponential` with the factor `lr_decay` per step, or `constant`.
        warmup: Steps of the linear warm-up to the peak, at most a tenth of the run.
        final_lr: Learning rate of the last step, as a share of the peak.
        lr_decay: Factor per step of the exponential schedule.
    """

    name: ScheduleName = "cosine"
    warmup: int = Field(200, ge=0)
    final_lr: float = Field(0.01, ge=0, le=1)
    lr_decay: float = Field(0.99999, gt=0, le=1)


class AugmentationConfig(_Settings):
    """Settings of the augmentation: `[train.augmentation]`.

    Attributes:
        flip: Mirror half of the images.
        random_shift: Shift images by up to N pixels in each direction; new pixels get the darkest level.
        mutation_rate: Probability with which a sub-pixel gets a random level, for the background model of an anomaly
            detector (Ren et al. 2019); 0.2 is usual there.
    """

    flip: bool = False
    random_shift: int = Field(0, ge=0)
    mutation_rate: float = Field(0.0, ge=0, lt=1)


class ConditionDropoutConfig(_Settings):
    """Probabilities with which training drops conditions: `[train.condition_dropout]`.

    A model learns the unconditional distribution from images without conditions, which classifier-free guidance needs
    (Ho and Salimans 2022).

    Attributes:
        label: Probability of dropping the label.
        other: Probability of dropping each other condition, and each attribute.
        unconditional: Probability of dropping all conditions at once, where there are several.
    """

    label: float = Field(0.1, ge=0, lt=1)
    other: float = Field(0.1, ge=0, lt=1)
    unconditional: float = Field(0.1, ge=0, lt=1)


class IntervalsConfig(_Settings):
    """Intervals, in steps, between evaluations, checkpoints and sample sheets: `[train.intervals]`.

    Attributes:
        evaluate: Steps between evaluations on validation images; 0 evaluates 20 times a run.
        save: Steps between checkpoints; 0 saves 40 times a run.
        sample: Steps between sample sheets; 0 writes 5 sheets a run.
        valid_images: Most validation images of each evaluation; 0 takes all.
    """

    evaluate: int = Field(0, ge=0)
    save: int = Field(0, ge=0)
    sample: int = Field(0, ge=0)
    valid_images: int = Field(2000, ge=0)


class MachineConfig(_Settings):
    """Settings of the hardware and the log, which leave the model as it is: `[train.machine]`.

    Attributes:
        precision: Precision of training: fp32, bf16 or auto (bf16 where the hardware is fast at it). Evaluation always
            uses fp32.
        compile: Use `torch.compile`.
        device: Device: cpu, cuda or auto (a GPU if there is one).
        threads: CPU threads, at most one for each core; 0 measures whether one or all of them are faster.
        tensorboard: Also write TensorBoard files (extra `tensorboard`).
    """

    precision: PrecisionName = "auto"
    compile: bool = False
    device: str = "auto"
    threads: int = Field(0, ge=0)
    tensorboard: bool = False


class TrainConfig(_Settings):
    """Settings of a training run: `[train]`. The defaults suit small images.

    ```python
    TrainConfig.from_dict({"steps": 500, "optimizer": {"lr": 4e-3}, "augmentation.flip": True})
    ```

    Attributes:
        epochs: Passes over the training images.
        steps: Optimiser steps; overrides `epochs`.
        batch_size: Images per step over all processes.
        grad_accumulation: Micro-batches per step, to save memory.
        seed: Random seed of weights, order, augmentation and dropout.
        quantization_aware: Round weights and features as the integer program does, to fine-tune a model for it.
        out: Folder of the run; none writes nothing.
        optimizer, schedule, augmentation, captions, completion, condition_dropout, intervals, machine: groups of
            settings, each a separate table in TOML.
    """

    epochs: float = Field(20.0, gt=0, le=MAX_STEPS)
    steps: int | None = Field(None, ge=1, le=MAX_STEPS)
    batch_size: int = Field(16, ge=1)
    grad_accumulation: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)
    quantization_aware: bool = False
    out: Path | None = None
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    captions: CaptionSettings = CaptionSettings()
    completion: CompletionSettings = CompletionSettings()
    condition_dropout: ConditionDropoutConfig = ConditionDropoutConfig()
    intervals: IntervalsConfig = IntervalsConfig()
    machine: MachineConfig = MachineConfig()

    @field_validator("grad_accumulation")
    @classmethod
    def _divides_the_batch(cls, value: int, info: Any) -> int:
        """Reject parts of unequal size before anything is read; with more processes, the trainer checks again."""
        batch_size = info.data.get("batch_size", value)  # missing if it is wrong itself
        if batch_size % value:
            near = value * max(1, batch_size // value)
            raise ValueError(f"Input should be a divisor of `batch_size` (={batch_size}): try `batch_size={near}`")
        return value

    @classmethod
    def of(cls, settings: TrainConfig | Mapping[str, Any] | None) -> TrainConfig:
        """Return settings, from a dictionary if they are one, or the defaults."""
        return settings if isinstance(settings, TrainConfig) else cls.from_dict({} if settings is None else settings)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """Build the settings from a dictionary with nested groups, dotted keys (`"optimizer.lr"`), or both.

        Raises:
            ConfigError: naming the first setting that is unknown or out of range.
        """
        if not isinstance(settings, Mapping):
            raise ConfigError(f"Settings (={quote(settings)}) must be a dictionary, for example {{'steps': 100}}.")
        return parse_section(cls, expand(settings))

    def updated(self, **settings: Any) -> TrainConfig:
        """Copy the settings with some replaced; a group is given as a dictionary.

        ```python
        config.updated(out=None, machine={"tensorboard": False})
        ```
        """
        changes = {
            name: getattr(self, name).model_copy(update=value) if isinstance(value, dict) else value
            for name, value in settings.items()
        }
        return self.model_copy(update=changes)

    def total_steps(self, images: int) -> int:
        """Count the optimiser steps of a run on a training set of `images`."""
        return self.steps if self.steps is not None else max(1, round(self.epochs * images / self.batch_size))


class ModelSection(ModelSettings):
    """Settings of the model: `[model]`, which adds to `ModelSettings`:

    Attributes:
        type: Name of a model from `pointillist models`.
        preset: Size of the network: tiny, small, base, or the preset of a paper (see `pointillist models`).
        init_from: Model whose weights the training starts from (fine-tuning).
        network: Settings of the network; they override the preset.
    """

    type: str = "gated-pixelcnn"
    preset: str | None = None
    init_from: str | None = None
    network: dict[str, Any] = Field(default_factory=dict)


class DataSection(DataOptions):
    """Settings of the images: `[data]`. The source, and how `load_data` reads it (`DataOptions`).

    Attributes:
        source: A folder of images or maps, .npz, .npy, .parquet, hf:USER/NAME, a built-in name, or FILE.py:NAME, a
            function that draws images (the file is run).
    """

    source: str | None = None

    @property
    def options(self) -> DataOptions:
        return DataOptions(**self.model_dump(exclude={"source"}))
