"""The pixel model: a causal network, the likelihood of its outputs, its conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, TypeAlias, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.conditioning import ConditionInputs, Label
from pointillist.conditioning.encoder import as_tensor, levels_tensor
from pointillist.data.tilemaps import Tileset
from pointillist.distributions.kinds import LikelihoodKind
from pointillist.distributions.likelihoods import Likelihood, at_least_float32, build_likelihood
from pointillist.engine.weights import inference_mode
from pointillist.errors import ConfigError, EngineError, ShapeError, clause, quote
from pointillist.files.arrays import as_array
from pointillist.files.suggestions import AnsweredNames
from pointillist.files.tensors import fingerprint
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder, resolve_order
from pointillist.model.conditions import ModelConditions
from pointillist.model.config import ModelConfig
from pointillist.model.float_likelihood import FloatDistributions, as_doubles
from pointillist.model.folder import files
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.folder.settings import find_model
from pointillist.model.integer import WeightSnapshot, find_program, stored_or_attached
from pointillist.model.portable import ProgramModel
from pointillist.model.protocols import LikelihoodKwargs, LikelihoodModel, Settings, check_trained_size
from pointillist.model.training_record import IntegerCost, TrainingRecord
from pointillist.networks import Backbone, BackboneDims, Stage, entry, sampling_order
from pointillist.nn import Condition, LocalGain, has_weight_norm, initialise_from_data, name_scopes
from pointillist.nn.passes import FullPass, channels_last

Levels: TypeAlias = Int[Tensor, "b c h w"]


class PixelModel(AnsweredNames, nn.Module):
    """A causal network with the likelihood of its outputs and its conditions.

    `forward(x, inputs)` is the log-likelihood, so that every training engine can wrap the model as it is.

    ```python
    model = pt.build("gated-pixelcnn", shape=(1, 28, 28), levels=16, classes=10)
    model.log_prob(x, label=3)  # nats, one for each image
    model.save_pretrained("my-model")
    ```

    Attributes:
        config: its settings.
        likelihood: distribution of a pixel, given the outputs of the network.
        conditions: encoders of its conditions.
        card: text of the model card (Markdown, with its YAML header); None for a default one.
        training_record: what is stored of its training, such as the settings of the run.
        generation_config: sampling settings that suit it.
        measured_prompts: names that its samples were recognised by.
        tileset: pictures of its levels, where it paints maps.
    """

    usual_variable: ClassVar[str] = "model"
    engine: ClassVar[str] = "torch"
    program_folder: Path | None = None  # which the model was loaded from
    integer_cost: IntegerCost | None = None  # if it was measured
    attached: ProgramModel | None = None
    snapshot: WeightSnapshot | None = None  # of the integer model: weights are not hashed again while they stay

    def __init__(self, config: ModelConfig, *, training: TrainingRecord | None = None, card: str | None = None) -> None:
        super().__init__()
        self.config = config
        self.training_record: TrainingRecord = training or TrainingRecord()
        self.card = card
        self.generation_config: GenerationConfig = GenerationConfig()
        self.measured_prompts: MeasuredPrompts = MeasuredPrompts()
        self.tileset: Tileset | None = None
        self.likelihood: Likelihood = build_likelihood(
            config.likelihood, self.image, config.mixtures, local_gain=bool(config.local_gain)
        )
        # an unordered level is a name, so it enters as a learned vector; an ordered one as a number in [-1, 1]
        table = self.image.levels, config.level_channels
        self.embedding: nn.Embedding | None = None if self.image.ordered else nn.Embedding(*table)
        self.conditions: ModelConditions = ModelConditions(config)
        self.backbone: Backbone = entry(config.model_type).backbone(config.backbone, self.dims)
        name_scopes(self.backbone)
        self.channels_last: bool = False  # memory format of weights and maps: see nn/passes.py
        self.initialised: bool = False  # True once the weights were trained, loaded or set from data
        self.register_load_state_dict_post_hook(_mark_initialised)  # type: ignore[no-untyped-call]

    def to(self, *args: Any, **kwargs: Any) -> PixelModel:
        """Move or convert as `nn.Module.to`; the memory format is kept, as some weights do not show it."""
        if "memory_format" in kwargs:
            self.channels_last = kwargs["memory_format"] == torch.channels_last
        return super().to(*args, **kwargs)

    def __repr__(self) -> str:
        return f"PixelModel({self.config.model_type}, {self.image}, {self.num_parameters():,} parameters)"

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write the files of a model folder, each whole or not at all."""
        files.write_model(files.output_folder(save_directory), self)

    def push_to_hub(self, repo_id: str, **hub: Any) -> str:
        """Upload the model to the hub, `user/model`, and return its address; see `upload_model`."""
        return files.upload_model(self.save_pretrained, repo_id, **hub)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **hub: Any) -> PixelModel:
        """Load a trained model, in evaluation mode; see `pointillist.load`, which is the same."""
        return files.read_model(find_model(str(pretrained_model_name_or_path), hub), cls).eval()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for `pickle`, with the integer model, so that a copy samples the same without its folder."""
        stored_or_attached(self)
        return {**self.__dict__, "snapshot": None}

    def attach_integer_model(self, integer_model: ProgramModel | None, cost: IntegerCost | None = None) -> None:
        """Attach an integer model that was made from the present weights, or none.

        Args:
            cost: what it costs, if that was measured. It says whether `auto` takes the integer model.
        """
        self.attached, self.snapshot, self.integer_cost = integer_model, None, cost

    def integer_model(self, size: tuple[int, int] | None = None) -> ProgramModel:
        """Return the integer model: the one made by `quantize_integer`, or stored in the folder of the model.

        It runs where the model is: on a GPU in torch, else in compiled code or numpy. The bits are the same.

        Raises:
            EngineError, ShapeError: if there is none of the present weights, or it does not know the size.
        """
        return find_program(self, size, by_default=False)

    def scorer(self, engine: str = "auto", size: tuple[int, int] | None = None) -> LikelihoodModel:
        """Return what scores images: this model or its integer model, as `auto` prefers; see `why_floats`."""
        if engine == "integer":
            return self.integer_model(size)
        try:
            return find_program(self, size, by_default=True) if engine == "auto" else self
        except (EngineError, ShapeError):
            return self

    def why_floats(self, size: tuple[int, int] | None = None) -> str:
        """Say in a clause why the engine `auto` computes in floating point; empty if it takes the integer program."""
        try:
            find_program(self, size, by_default=True)
        except (EngineError, ShapeError) as error:
            return clause(str(error))
        return ""

    @property
    def image(self) -> ImageSpec:
        """Meaning of its integers."""
        return self.generation_config.shown(self.config.image)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return next(self.parameters()).dtype

    def num_parameters(self) -> int:
        """Return the number of weights."""
        return sum(p.numel() for p in self.parameters())

    @property
    def model_type(self) -> str:
        """Name of its network."""
        return self.config.model_type

    @property
    def likelihood_name(self) -> LikelihoodKind:
        """Name of the distribution of a pixel."""
        return self.likelihood.name

    @property
    def dims(self) -> BackboneDims:
        """Numbers that enter and leave the network at each pixel."""
        return BackboneDims(
            groups=1 if self.likelihood.coupled else self.image.channels,
            canvas=self.image.channels * self.config.level_width,
            params=self.likelihood.num_params,
            condition=self.conditions.dims,
            local_gain=LocalGain(self.image.channels, self.image.levels) if self.config.local_gain else None,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        return self.config.classes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of weights and changed settings, computed each time: a setting of a later release changes none."""
        return fingerprint(self.state_dict(), self.config.model_dump(mode="json", exclude_defaults=True))

    weights_fingerprint = fingerprint  # a model is named by its weights

    @property
    def fixed_size(self) -> bool:
        """True if only images of the trained size can be sampled or scored."""
        return self.conditions.position is not None

    @property
    def mixtures(self) -> int:
        """Components of a mixture; 0 for other distributions."""
        return int(getattr(self.likelihood, "mixtures", 0))

    def condition(self, kind: type[Settings]) -> Settings | None:
        """Return the settings of a kind of condition; None for a model without it."""
        return self.config.condition(kind)

    @property
    def orders(self) -> tuple[str, ...]:
        """Names of its generation orders; the first is the usual one."""
        return self.config.orders

    def stage_count(self, height: int, width: int) -> int:
        """Return the number of stages in which an image of this size is generated."""
        return len(self.stages(height, width))

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """Stages in which an image of this size is generated, in their order: one for most models."""
        return self.backbone.stages(height, width)

    def generation_rank(self, height: int, width: int, order: PixelOrder | None = None) -> Int[np.ndarray, "h w"]:
        """Rank of each pixel in the generation order, from 0."""
        order = self.order() if order is None else order
        if order.s_curve:  # networks that follow an S-curve have one stage
            return order.rank(height, width)
        turned = order.raster_size(height, width)
        return order.array_from_raster(sampling_order(self.stages(*turned), *turned))

    def level_embeddings(self) -> Float[Tensor, "k e"]:
        """Network input of each level."""
        if self.embedding is not None:
            return self.embedding.weight
        return torch.linspace(-1.0, 1.0, self.image.levels, dtype=self.dtype, device=self.device)[:, None]

    def canvas(self, x: Levels) -> Float[Tensor, "b i h w"]:
        """Network input of images: `c * level_width` features, sub-pixel by sub-pixel."""
        values = self.level_embeddings()
        return values[:, 0][x] if self.embedding is None else values[x].permute(0, 1, 4, 2, 3).flatten(1, 2)

    def order(self, name: str | None = None) -> PixelOrder:
        """Get one of its orders; without a name, the usual one."""
        return resolve_order(self.config.orders, name)

    def outputs(
        self, canvas: Float[Tensor, "b i h w"], condition: Condition, order: PixelOrder | None = None
    ) -> Float[Tensor, "b p h w"]:
        """Network outputs at every pixel of an image, each from the pixels before it in the order."""
        order = self.order() if order is None else order
        turned = channels_last(order.to_raster(canvas)) if self.channels_last else order.to_raster(canvas)
        ctx = FullPass(order, channels_last=self.channels_last)
        out: Tensor = self.backbone(turned, ctx, self.conditions.to_raster_frame(condition, order).as_computed())
        return order.from_raster(out)

    def distributions(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> FloatDistributions:
        """Compute the distributions of all sub-pixels of complete images; see `LikelihoodModel`."""
        with inference_mode(self):
            condition = self.encode(inputs, len(x), (x.shape[2], x.shape[3]))
            params = self.outputs(self.canvas(as_tensor(x, self.device).long()), condition, order)
        return self.distributions_from(at_least_float32(params).cpu().numpy(), x)

    def distributions_from(
        self, params: Float[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
    ) -> FloatDistributions:
        """Return the distributions of outputs of the network that were computed before."""
        return FloatDistributions(params, x, self.likelihood)

    def unchecked_log_prob_map(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b c h w"]:
        """`log_prob_map` of arrays, float64; see `LikelihoodModel`."""
        with inference_mode(self):
            return as_doubles(self.log_prob_of(as_tensor(x, self.device).long(), inputs, order))

    def encode(self, inputs: ConditionInputs | None, count: int, size: tuple[int, int] | None = None) -> Condition:
        """Encode the conditions of `count` images on the model's device; None is unconditional."""
        return self.conditions(inputs, count, size, self.device)  # type: ignore[no-any-return]

    def forward(
        self, x: Levels, inputs: ConditionInputs | None = None, order: str | None = None, marginals: bool = False
    ) -> Float[Tensor, "*n b"]:
        """Log-likelihood of each image in nats, under `model.conditions.inputs(...)`; `marginals`: of a head too."""
        if inputs is not None and not isinstance(inputs, ConditionInputs):
            raise ConfigError(
                f"`inputs` (={quote(inputs)}) must come from `model.conditions.inputs`: "
                "`model.log_prob(x, label=3)` takes conditions as they are."
            )
        return self.log_prob_of(self.check(x), inputs, self.order(order), marginals).flatten(-3).sum(-1)

    @property
    def needs_data_init(self) -> bool:
        """True if `initialise` would change the weights (Salimans & Kingma 2016, section 3)."""
        return not self.initialised and has_weight_norm(self.backbone)

    def initialise(self, x: Levels, inputs: ConditionInputs | None = None) -> None:
        """Set weights of a network with weight normalisation from a first batch, unless they were trained or loaded."""
        if self.needs_data_init:
            training = self.training
            self.eval()  # dropout would make the result depend on the random state
            initialise_from_data(self.backbone, lambda: self.outputs(self.canvas(x), self.encode(inputs, len(x))))
            self.train(training)
        self.initialised = True

    def log_prob(
        self, x: Levels, label: Label = None, text: Any = None, **further: Unpack[LikelihoodKwargs]
    ) -> Float[Tensor, " b"]:
        """Exact log-likelihood of each image, in nats.

        Args:
            x: levels, integers in [0, levels).
            label, text, further: conditions, as for `ModelConditions.inputs`; the generation order; and a mask `known`
                of known pixels (see `parse_mask`), which the others are conditioned on.

        Raises:
            ShapeError, DataError: if `x` is not an image of this model.
            ConfigError: if the model does not take a condition, or not this value of it, or not the order.
        """
        return self.log_prob_map(x, label, text, **further).flatten(1).sum(1)

    def log_prob_map(
        self, x: Levels, label: Label = None, text: Any = None, **further: Unpack[LikelihoodKwargs]
    ) -> Float[Tensor, "b c h w"]:
        """Log-probability of each sub-pixel given those before it, in nats. Arguments and errors as `log_prob`."""
        x = self.check(x)
        keywords: Any = dict(further)
        order, size = self.order(keywords.pop("order", None)), (x.shape[2], x.shape[3])
        if keywords.get("known") is not None:
            keywords["known"] = x, keywords["known"]
        return self.log_prob_of(x, self.conditions.inputs(label, len(x), text, size=size, **keywords), order)

    def log_prob_of(
        self, x: Levels, inputs: ConditionInputs | None, order: PixelOrder | None = None, marginals: bool = False
    ) -> Float[Tensor, "*n b c h w"]:
        """`log_prob_map` of validated images and conditions; known sub-pixels are certain. `marginals`: of a head."""
        condition = self.encode(inputs, len(x), (x.shape[2], x.shape[3]))
        params = self.outputs(self.canvas(x), condition, order)
        with torch.autocast(x.device.type, enabled=False):
            result = self.likelihood.log_prob(params, x)
        if marginals and condition.marginals is not None:
            result = torch.stack([result, condition.marginals.gather(1, x)])
        observed = None if inputs is None else inputs.observed
        return result if observed is None else result.masked_fill(as_tensor(observed, x.device), 0.0)

    def check(self, x: Any) -> Levels:
        """Convert `x` to int64 on the model's device, if it is a batch of its images.

        Raises:
            ShapeError: if channels, or the size of a model with fixed size, do not match.
            DataError: if a value is not an integer in [0, levels).
        """
        result = levels_tensor(x, self.image, self.device)
        self.check_size(result.shape[2], result.shape[3])
        return result

    def check_array(self, x: Any) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of images of this model, and return it as an array; see `check`."""
        return self.check(x).cpu().numpy()

    def check_size(self, height: int, width: int) -> None:
        """Raise a `ShapeError` for a size that this model cannot sample or score."""
        check_trained_size(self, height, width)

    def to_levels(self, images: Any) -> Levels:
        """Convert pictures (uint8 arrays or PIL) to levels; see `ImageSpec.to_levels`."""
        return self.image.to_levels(images)

    def to_images(self, levels: Levels) -> Any:
        """Convert levels to uint8 pictures `n h w c`; see `ImageSpec.to_images`."""
        return self.image.to_images(as_array(levels))


def _mark_initialised(model: nn.Module, _: object) -> None:
    """Note that the weights were loaded: a hook, which `pickle` can name, as it can no lambda."""
    model.initialised = True  # type: ignore[assignment]
