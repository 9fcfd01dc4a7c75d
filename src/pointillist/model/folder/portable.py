"""A model that computes with an integer program: opened from its folder without torch, or made from a pixel model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.label import Label
from pointillist.conditioning.readers import ConditionKwargs, ConditionReaders
from pointillist.conditioning.registry import condition_kinds
from pointillist.conditioning.settings import ConditionConfig
from pointillist.distributions.kinds import LikelihoodKind
from pointillist.distributions.registry import resolve_likelihood
from pointillist.engine.program import IntArray
from pointillist.errors import CheckpointError, ConfigError, EngineError
from pointillist.files.arrays import CONFIG, PROGRAM, PROGRAM_TENSORS, WEIGHTS, as_array, count_weights, read_config
from pointillist.files.reading import ReadOnce
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.images.spec import sum_images
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.folder.settings import read_tileset
from pointillist.model.integer_cost import IntegerCost
from pointillist.model.portable import IntegerModel, load
from pointillist.model.portable.conditions import ORDER, POSITION, StoredConditions
from pointillist.model.portable.likelihood import ProgramLikelihood
from pointillist.model.protocols import Settings
from pointillist.system import default_threads

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset

OtherFeatures = Callable[[ConditionInputs, tuple[int, int]], Mapping[str, NDArray[np.float64]]]
"""Returns features of conditions without a stored encoder, `[n, ..., c]` by name, for images of a size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramModel:
    """A model that samples and scores with its integer program; the weights of its network are not read.

    Its likelihood is read from the integer frequencies, near the likelihood of the pixel model but not equal to it.

    ```python
    model = ProgramModel.open(Path("digits"))
    model.log_prob(levels, label=3)  # nats, one for each image
    ```

    Attributes:
        integers: the integer programs.
        image: meaning of its integers.
        generation_config: sampling settings that suit it.
        measured_prompts: names that its samples were recognised by.
        training_record: how it was trained.
        tileset: pictures of its levels; None if there are none.
        integer_cost: what the integer model costs, if that was measured.
        model_type: name of the network that it was made from.
        weights: number of weights of that network.
        likelihood_name: name of the distribution of a pixel.
        condition_settings: settings of its conditions, by kind.
        conditions: reads its conditions.
        folder: the folder, which also has the weights; None for the program of an open model.
        other_features: of conditions without a stored encoder; None if the program knows them as unknown only.
    """

    engine: ClassVar[str] = "integer"

    integers: IntegerModel
    image: ImageSpec
    generation_config: GenerationConfig
    measured_prompts: MeasuredPrompts
    training_record: dict[str, Any]
    tileset: Tileset | None
    integer_cost: IntegerCost | None = None
    model_type: str = ""
    weights: int = 0
    likelihood_name: LikelihoodKind = "categorical"
    condition_settings: Mapping[str, ConditionConfig] = field(default_factory=dict)
    conditions: ConditionReaders
    folder: Path | None = None
    other_features: OtherFeatures | None = None

    def __repr__(self) -> str:
        return f"ProgramModel({self.model_type}, {self.image}, its integer program)"

    @staticmethod
    def open(folder: Path) -> ProgramModel:
        """Open a model folder; the same model while its files have not changed.

        Raises:
            CheckpointError: if it holds no integer program, or is damaged.
        """
        return _open(folder)

    @classmethod
    def read(cls, folder: Path) -> ProgramModel:
        """Read a model folder; see `open`."""
        integers, config = load(folder), read_config(folder)
        try:
            generation = GenerationConfig.read(folder)
            image = generation.shown(ImageSpec(**config["image"]))
        except (ConfigError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / CONFIG} describes no images: copy the whole folder again.") from error
        if (*image.shape, image.levels) != (integers.channels, integers.height, integers.width, integers.levels):
            raise CheckpointError(
                f"{folder / CONFIG} and the integer program next to it do not belong together: copy both."
            )
        training = config.get("training")
        record = training if isinstance(training, dict) else {}
        cost = IntegerCost.pop(record)
        return cls(
            integers=integers,
            image=image,
            conditions=StoredConditions(integers.parts[0], image),
            generation_config=generation,
            measured_prompts=MeasuredPrompts.read(folder),
            training_record=record,
            tileset=read_tileset(folder, image.levels),
            integer_cost=cost,
            **_network(folder, config),
            folder=folder,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        return self.integers.classes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the integer model."""
        return self.integers.fingerprint

    @property
    def mixtures(self) -> int:
        """Components of a mixture; 0 for other distributions."""
        head = self.integers.programs[0].head
        return head.mixtures if head.kind == "mixture" else 0

    def num_parameters(self) -> int:
        """Return the number of weights of the network."""
        return self.weights

    def condition(self, kind: type[Settings]) -> Settings | None:
        """Return the settings of a kind of condition; None for a model without it."""
        settings = self.condition_settings.get(kind.kind)
        return settings if isinstance(settings, kind) else None

    @property
    def weights_fingerprint(self) -> str:
        """SHA-256 of the weights and settings that the program was made from."""
        return self.integers.source

    @property
    def reads_all_conditions(self) -> bool:
        """True if the program reads each condition of its model: of others it knows "unknown" only."""
        parts = [part for parts in self.integers.parts for part in parts]
        return all(part.reader is not None or part.name in (ORDER, POSITION) for part in parts)

    @property
    def fixed_size(self) -> bool:
        """True if only images of the trained size can be sampled or scored."""
        return self.integers.fixed_size

    @property
    def orders(self) -> tuple[str, ...]:
        """Names of its generation orders; the first is the usual one."""
        return tuple(self.integers.orders)

    def stage_count(self, height: int, width: int) -> int:
        """Return the number of stages in which an image of this size is generated."""
        return 1

    @property
    def distribution(self) -> ProgramLikelihood:
        """Distribution of a pixel, given the parameters that the integer program computes."""
        return ProgramLikelihood(self.integers.programs[0])  # the programs of other orders have the same head

    def scorer(self, engine: str = "auto", size: tuple[int, int] | None = None) -> ProgramModel:
        """Return what scores images: this model, which is the only one without the weights.

        Args:
            engine: `auto` or `integer`.
            size: height and width of the images; None for the model's own.

        Raises:
            ConfigError, EngineError: if it is another engine.
            ShapeError: if the program does not know the size.
        """
        if engine not in ("auto", "integer"):
            raise EngineError(
                f"`engine` (={engine!r}) computes with the weights of a model, and this one is opened by its integer "
                "program alone: load it with `pt.load`, or leave the engine out."
            )
        if size is not None:
            self.check_size(*size)
        return self

    def log_prob(
        self,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[np.ndarray, " b"]:
        """Compute the exact log-likelihood of each image, in nats, float64.

        Args:
            x: levels, integers `[b c h w]`.
            label, text, further: conditions; see `ConditionReaders.inputs`.
            order: generation order; None for the usual one.

        Raises:
            ShapeError, ConfigError: if the model does not take the images, or a condition.
        """
        return sum_images(self.log_prob_map(x, label, text, order=order, **further))

    def log_prob_map(
        self,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats. Arguments as `log_prob`."""
        levels = self.check_array(x)
        size = (levels.shape[2], levels.shape[3])
        inputs = self.conditions.inputs(label, len(levels), text, size=size, **further)
        return self.unchecked_log_prob_map(levels, inputs, self.order(order))

    def unchecked_log_prob_map(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute `log_prob_map` of images and conditions that are validated already; known sub-pixels are certain."""
        order = self.order() if order is None else order
        encoded = self.encode(inputs, len(x), (x.shape[2], x.shape[3]), order)
        maps = np.ascontiguousarray(self.integers.log_prob_map(x, encoded, order, threads=default_threads()))
        if inputs is not None and inputs.observed is not None:
            maps[inputs.observed] = 0.0
        return maps

    def params(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Int[np.ndarray, "b p h w"]:
        """Compute the parameters of the distribution at every pixel of complete images."""
        order = self.order() if order is None else order
        encoded = self.encode(inputs, len(x), (x.shape[2], x.shape[3]), order)
        params = self.integers.params(x, encoded, order, threads=default_threads())
        return np.ascontiguousarray(np.moveaxis(params, 3, 1))

    def encode(
        self, inputs: ConditionInputs | None, count: int, size: tuple[int, int], order: PixelOrder
    ) -> dict[str, IntArray]:
        """Return conditions as the integers that are part of the input of the program; None for no condition."""
        if inputs is None:
            inputs = self.conditions.inputs(count=count, size=size)
        others = {} if self.other_features is None else self.other_features(inputs, size)
        return self.integers.encode(inputs, size, order, others)

    def to_levels(self, images: Any) -> Int[np.ndarray, "b c h w"]:
        """Convert pictures (uint8 arrays or PIL) to levels; see `ImageSpec.level_array`."""
        return self.image.level_array(images)

    def to_images(self, levels: Any) -> np.ndarray:
        """Convert levels to uint8 pictures `n h w c`; see `ImageSpec.to_images`."""
        return self.image.to_images(levels)

    def why_floats(self, size: tuple[int, int] | None = None) -> str:
        """Return an empty clause: this model never computes in floating point."""
        return ""

    def check_size(self, height: int, width: int) -> None:
        """Raise a `ShapeError` for a size that the program does not know."""
        self.integers.check_size(height, width)

    def order(self, name: str | None = None) -> PixelOrder:
        """Return one of its generation orders; without a name, its first."""
        return self.integers.order(name)

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in a generation order."""
        return order.rank(height, width)

    def check_array(self, x: Any) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of its images, and return it as an array; see `IntegerModel.check`."""
        return self.integers.check(self.image.level_array(x) if self.image.is_picture(x) else as_array(x))

    def has_size(self, size: tuple[int, int] | None) -> bool:
        """Return True if images of a size can be sampled: maps of conditions are stored for the model's own."""
        trained = size is None or size == (self.image.height, self.image.width)
        return trained or all(part.any_size for parts in self.integers.parts for part in parts)


_open = ReadOnce(ProgramModel.read)


def _network(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the settings and the header of the weights tell of the network.

    Raises:
        CheckpointError: if the settings do not describe a model.
    """
    path, known = folder / WEIGHTS, condition_kinds()
    try:
        conditions = {kind: known[kind](**values) for kind, values in config["conditions"].items() if kind in known}
        return {
            "model_type": str(config["model_type"]),
            "weights": count_weights(path) if path.is_file() else 0,
            "likelihood_name": resolve_likelihood(config["likelihood"], config["image"]),
            "condition_settings": conditions,
        }
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} describes no model ({error}): copy the whole folder again."
        ) from error


def program_files(folder: Path) -> tuple[bytes, bytes]:
    """Return the JSON text and the arrays of the integer program of a model folder.

    Raises:
        CheckpointError: if it holds none.
    """
    paths = folder / PROGRAM, folder / PROGRAM_TENSORS
    if not all(path.is_file() for path in paths):
        raise CheckpointError(
            f"{folder} has no integer program, which an export runs: make one with `pointillist quantize`."
        )
    return paths[0].read_bytes(), paths[1].read_bytes()
