"""Models that are opened by their stored integer program, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from pointillist.conditioning.label import Label
from pointillist.conditioning.registry import condition_kinds
from pointillist.conditioning.settings import ConditionConfig
from pointillist.distributions.kinds import LikelihoodKind
from pointillist.distributions.registry import resolve_likelihood
from pointillist.errors import CheckpointError, ConfigError, EngineError, not_a_model
from pointillist.files.arrays import CONFIG, PROGRAM, PROGRAM_TENSORS, WEIGHTS, as_array, count_weights, read_config
from pointillist.files.reading import ReadOnce
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.folder.settings import read_tileset
from pointillist.model.integer_cost import IntegerCost
from pointillist.model.portable import IntegerModel, load
from pointillist.model.portable.conditions import ORDER, POSITION, StoredConditions
from pointillist.model.portable.scorer import ProgramScorer
from pointillist.model.portable.storage import has_program
from pointillist.model.protocols import Settings
from pointillist.zoo import resolve

if TYPE_CHECKING:
    from pointillist.conditioning.hint import HintReader
    from pointillist.conditioning.prompts import PromptReader
    from pointillist.data.tilemaps import Tileset


@dataclass(frozen=True, kw_only=True, eq=False)
class PortableModel:
    """A model folder that is sampled from its integer program, and whose weights are not read.

    ```python
    model = PortableModel.open(Path("digits"))
    model.log_prob(levels, label=3)  # nats, one for each image
    ```

    Attributes:
        integer_model: the integer model.
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
        folder: the folder, which also has the weights; None for the program of an open model.
    """

    integer_model: IntegerModel
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
    folder: Path | None = None

    def __repr__(self) -> str:
        return f"PortableModel({self.model_type}, {self.image}, its integer program)"

    @staticmethod
    def open(folder: Path) -> PortableModel:
        """Open a model folder; the same model while its files have not changed.

        Raises:
            CheckpointError: if it holds no integer program, or is damaged.
        """
        return _open(folder)

    @classmethod
    def read(cls, folder: Path) -> PortableModel:
        """Read a model folder; see `open`."""
        integer_model, config = load(folder), read_config(folder)
        try:
            generation = GenerationConfig.read(folder)
            image = generation.shown(ImageSpec(**config["image"]))
        except (ConfigError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / CONFIG} describes no images: copy the whole folder again.") from error
        if (*image.shape, image.levels) != (
            integer_model.channels,
            integer_model.height,
            integer_model.width,
            integer_model.levels,
        ):
            raise CheckpointError(
                f"{folder / CONFIG} and the integer program next to it do not belong together: copy both."
            )
        training = config.get("training")
        record = training if isinstance(training, dict) else {}
        cost = IntegerCost.pop(record)
        return cls(
            integer_model=integer_model,
            image=image,
            generation_config=generation,
            measured_prompts=MeasuredPrompts.read(folder),
            training_record=record,
            tileset=read_tileset(folder, image.levels),
            integer_cost=cost,
            **_network(folder, config),
            folder=folder,
        )

    @classmethod
    def of(cls, model: Any) -> PortableModel:
        """Open the stored program of a bundled model or a folder, or take the program of an open model.

        Raises:
            EngineError: if there is no program.

        Example:
            PortableModel.of("digits").image
        """
        if isinstance(model, cls):
            return model
        folder = resolve(str(model)) if isinstance(model, (str, Path)) else None
        if folder is not None and has_program(folder):
            return cls.open(folder)
        from pointillist.model.pixel_model import PixelModel

        pixel_model = PixelModel.from_pretrained(model) if isinstance(model, (str, Path)) else model
        if not isinstance(pixel_model, PixelModel):
            raise not_a_model(model)
        return cls(
            integer_model=pixel_model.integer_model().integers,
            model_type=pixel_model.model_type,
            weights=pixel_model.num_parameters(),
            likelihood_name=pixel_model.likelihood_name,
            condition_settings=pixel_model.config.conditions,
            image=pixel_model.image,
            generation_config=pixel_model.generation_config,
            measured_prompts=pixel_model.measured_prompts,
            training_record=pixel_model.training_record,
            tileset=pixel_model.tileset,
            integer_cost=pixel_model.integer_cost,
        )

    @property
    def conditions(self) -> StoredConditions:
        """Conditions that the program reads."""
        return StoredConditions(self.integer_model.parts[0], self.image)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        return self.integer_model.classes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the integer model."""
        return self.integer_model.fingerprint

    @property
    def mixtures(self) -> int:
        """Components of a mixture; 0 for other distributions."""
        head = self.integer_model.programs[0].head
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
        return self.integer_model.source

    @property
    def prompt_reader(self) -> PromptReader | None:
        """Reader of prompts; None for a model that takes none."""
        return self.conditions.prompt_reader

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model without, or whose program cannot encode it."""
        return self.conditions.hint_reader

    @property
    def reads_all_conditions(self) -> bool:
        """True if the program reads each condition of its model: of others it knows "unknown" only."""
        parts = [part for parts in self.integer_model.parts for part in parts]
        return all(part.reader is not None or part.name in (ORDER, POSITION) for part in parts)

    @property
    def fixed_size(self) -> bool:
        """True if only images of the trained size can be sampled or scored."""
        return self.integer_model.fixed_size

    @property
    def orders(self) -> tuple[str, ...]:
        """Names of its generation orders; the first is the usual one."""
        return tuple(self.integer_model.orders)

    def stage_count(self, height: int, width: int) -> int:
        """Return the number of stages in which an image of this size is generated."""
        return 1

    def scorer(self, engine: str = "auto", size: tuple[int, int] | None = None) -> ProgramScorer:
        """Return what scores images: the program, which is the only one without the weights.

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
        return ProgramScorer(self.integer_model, self.conditions, self.image)

    def log_prob(
        self, x: Any, label: Label = None, text: Any = None, *, order: str | None = None, **further: Any
    ) -> Float[np.ndarray, " b"]:
        """Compute the exact log-likelihood of each image, in nats, float64; see `ProgramScorer.log_prob`."""
        return self.scorer().log_prob(x, label, text, order=order, **further)

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
        self.integer_model.check_size(height, width)

    def order(self, name: str | None = None) -> PixelOrder:
        """Return one of its generation orders; without a name, its first."""
        return self.integer_model.order(name)

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in a generation order."""
        return order.rank(height, width)

    def check_array(self, x: Any) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of its images, and return it as an array; see `IntegerModel.check`."""
        return self.integer_model.check(self.image.level_array(x) if self.image.is_picture(x) else as_array(x))

    def has_size(self, size: tuple[int, int] | None) -> bool:
        """Return True if images of a size can be sampled: maps of conditions are stored for the model's own."""
        own = size is None or size == (self.image.height, self.image.width)
        return own or all(part.any_size for parts in self.integer_model.parts for part in parts)


_open = ReadOnce(PortableModel.read)


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
