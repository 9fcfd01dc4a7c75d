"""A chain of pixel models, each conditioned on the codes before it, and the tokenizers that make the codes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning import ConditionKwargs, HintConfig, HintReader, Label
from pointillist.conditioning.prompts import PromptReader
from pointillist.data.tilemaps import Tileset
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.engine.weights import inference_mode
from pointillist.errors import CheckpointError, ConfigError, counted
from pointillist.files.checkpoint.header import not_for_hierarchies
from pointillist.files.checkpoint.tensors import fingerprint
from pointillist.hierarchy.config import CODES, PIXELS, scale_names
from pointillist.hierarchy.data import CodeHint
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.pixel_model import PixelModel

AnyChain = TypeVar("AnyChain", bound="Chain")
Codes = Mapping[str, Int[Tensor, "b 1 _ _"]]
"""Grids of codes by scale: `codes`, and `codes2` for the next coarser one."""


class Chain:
    """A chain of pixel models: the coarsest codes, finer codes given those, the pixels given the codes.

    Attributes:
        tokenizers: encoder to the codes of each scale, the finest first; none for codes of the user.
        codes: model of the codes of each scale given the coarser ones, the finest first.
        pixels: model of the pixels given the codes; None for a hierarchy without a likelihood of pixels.
        data: how the images of the training were read, as in a run file.

    Raises:
        CheckpointError: if the models do not belong together.
    """

    tokenizers: tuple[Tokenizer, ...]
    codes: tuple[PixelModel, ...]
    pixels: PixelModel | None

    def __init__(
        self,
        tokenizers: Sequence[Tokenizer],
        codes: Sequence[PixelModel],
        pixels: PixelModel | None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.tokenizers, self.codes, self.pixels = tuple(tokenizers), tuple(codes), pixels
        self.data: dict[str, Any] = dict(data or {})
        _check(self)

    def __repr__(self) -> str:
        scales = " -> ".join(f"{model.image.height}x{model.image.width} codes" for model in reversed(self.codes))
        return f"{type(self).__name__}({scales} -> {self.image}, {self.num_parameters():,} parameters)"

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers of its images; of its finest codes, where it has no images."""
        if self.pixels is not None:
            return self.pixels.image
        return self.tokenizers[0].config.image if self.tokenizers else self.codes[0].image

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels that the coarsest scale takes."""
        return self.codes[-1].config.classes

    @property
    def generation_config(self) -> GenerationConfig:
        """Sampling settings that suit the coarsest scale."""
        return self.codes[-1].generation_config

    @property
    def measured_prompts(self) -> MeasuredPrompts:
        """Names that samples were recognised by, as the coarsest scale states them."""
        return self.codes[-1].measured_prompts

    @property
    def tileset(self) -> Tileset | None:
        """Pictures of the levels of its pixels; None if there are none."""
        return None if self.pixels is None else self.pixels.tileset

    @property
    def training_record(self) -> dict[str, Any]:
        """Record of the training of the coarsest scale, which reads prompts."""
        return self.codes[-1].training_record

    @property
    def prompt_reader(self) -> PromptReader | None:
        """Reader of prompts of the coarsest scale; None if it takes none."""
        return self.codes[-1].prompt_reader

    hint_reader: HintReader | None = None
    """None: the hints of its scales are its codes."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and settings of all scales, computed each time."""
        parts = [
            fingerprint(tokenizer.state_dict(), tokenizer.config.model_dump(mode="json"))
            for tokenizer in self.tokenizers
        ]
        parts += [model.fingerprint for model in self.models.values()]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def order(self, name: str | None = None) -> PixelOrder:
        """Return the generation order of the finest scale; there is no other.

        Raises:
            ConfigError: for another name.
        """
        finest = list(self.models.values())[-1].order()
        if name not in (None, finest.name):
            raise not_for_hierarchies("order", name)
        return finest

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in the generation order of the finest scale."""
        return order.rank(height, width)

    def check_array(self, x: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "b c h w"]:
        """Check that an array is a batch of its images."""
        return (self.codes[0] if self.pixels is None else self.pixels).check_array(x)

    @property
    def models(self) -> dict[str, PixelModel]:
        """Pixel models by scale, coarse to fine."""
        names = scale_names(CODES, len(self.codes))
        result = dict(reversed(list(zip(names, self.codes, strict=True))))
        return result if self.pixels is None else {**result, PIXELS: self.pixels}

    @property
    def hints(self) -> tuple[CodeHint, ...]:
        """Kind of hint that the codes of each scale, and all coarser ones, make."""
        if self.tokenizers:
            return tuple(CodeHint(tokenizer.fsq, (tokenizer.codes,)) for tokenizer in self.tokenizers)
        specs = tuple(model.image for model in self.codes)
        return tuple(CodeHint(None, specs[scale:]) for scale in range(len(specs)))

    def num_parameters(self) -> int:
        """Return the number of weights of all stages."""
        tokenizers = sum(tokenizer.num_parameters() for tokenizer in self.tokenizers)
        return tokenizers + sum(model.num_parameters() for model in self.models.values())

    def to(self: AnyChain, device: torch.device | str) -> AnyChain:
        """Move all stages to a device."""
        for part in (*self.tokenizers, *self.models.values()):
            part.to(device)
        return self

    # -- codes

    def encode(self, x: Int[Tensor, "b c h w"]) -> dict[str, Int[Tensor, "b 1 _ _"]]:
        """Encode images to the codes of each scale, the finest first.

        Raises:
            ConfigError: if the user makes the codes.
            ShapeError, DataError: if `x` is not an image of this hierarchy.
        """
        if not self.tokenizers:
            raise ConfigError("This hierarchy has codes of your own and no tokenizer: give the codes of the images.")
        x = torch.as_tensor(x) if self.pixels is None else self.pixels.check(x)
        result = {}
        for name, tokenizer in zip(scale_names(CODES, len(self.codes)), self.tokenizers, strict=True):
            x = result[name] = tokenizer.encode(x)
        return result

    def decode(self, codes: Codes) -> Int[Tensor, "b c h w"]:
        """Decode the codes of the finest scale to the one picture that the deterministic decoder makes of them.

        Args:
            codes: grids by scale; from `codes2` alone, the finer codes are decoded too.

        Raises:
            ConfigError: if there is no tokenizer.
        """
        if not self.tokenizers:
            raise ConfigError("This hierarchy has codes of your own, which it cannot decode: sample its pixels.")
        names = scale_names(CODES, len(self.codes))
        scale = next(scale for scale, name in enumerate(names) if name in codes)
        grid = torch.as_tensor(codes[names[scale]])
        for tokenizer in reversed(self.tokenizers[: scale + 1]):
            grid = tokenizer.decode(grid)
        return grid

    def reconstruct(self, x: Int[Tensor, "b c h w"]) -> Int[Tensor, "b c h w"]:
        """Encode images and decode them deterministically."""
        return self.decode(self.encode(x))

    # -- likelihood

    def hint(self, scale: str, codes: Codes, size: tuple[int, int]) -> dict[str, Any]:
        """Make the hint of a scale from all coarser codes, as a keyword of its model; empty for the coarsest.

        Args:
            scale: `codes`, `codes2`, ... or `pixels`.
            size: height and width of the grid of this scale.
        """
        names = scale_names(CODES, len(self.codes))
        above = 0 if scale == PIXELS else names.index(scale) + 1
        if above == len(names):
            return {}
        return {"hint": self.hints[above].of([torch.as_tensor(codes[name]) for name in names[above:]], size)}

    def code_length(
        self,
        x: Int[Tensor, "b c h w"] | None,
        codes: Codes | None = None,
        label: Label = None,
        text: Any = None,
        **further: Unpack[ConditionKwargs],
    ) -> CodeLength:
        """Compute -log p(codes) - log p(x | codes) of each image by scales: an upper bound on -log p(x).

        Args:
            x: images; None for a hierarchy of codes alone.
            codes: codes of the images, where no tokenizer makes them, or others in place of the encoder's.
            label, text, further: conditions, for the scales that take them.

        Raises:
            ShapeError, DataError, ConfigError: if images, codes or conditions do not fit the models.
        """
        if codes is None:
            codes = self.encode(_as_images(x, "x"))
        nats, dims = {}, {}
        for name, model in self.models.items():
            grid = _as_images(x, "x") if name == PIXELS else torch.as_tensor(codes[name])
            conditions = self.conditions_of(model, name, {"label": label, "text": text, **further})
            hint = self.hint(name, codes, (grid.shape[2], grid.shape[3]))
            with inference_mode(model):
                nats[name] = -model.log_prob(grid, **conditions, **hint).double().cpu()
            dims[name] = grid[0].numel()
        return CodeLength(nats, dims)

    def log_prob(
        self,
        x: Int[Tensor, "b c h w"] | None,
        codes: Codes | None = None,
        label: Label = None,
        text: Any = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[Tensor, " b"]:
        """log p(codes) + log p(x | codes) of each image, in nats: a lower bound on log p(x). See `code_length`."""
        return -self.code_length(x, codes, label, text, **further).total

    def conditions_of(self, model: PixelModel, scale: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the conditions that a scale takes; the coarsest takes all, so that it reports a wrong one."""
        if model is self.codes[-1]:
            return {name: value for name, value in values.items() if value is not None}
        keywords = {encoder.keyword for encoder in model.conditions.encoders.values()}
        return {name: value for name, value in values.items() if value is not None and name in keywords}


def _as_images(x: Tensor | None, name: str) -> Tensor:
    if x is None:
        raise ConfigError(f"`{name}` (=None) is missing: give the images.")
    return torch.as_tensor(x)


def _check(chain: Chain) -> None:
    """Check that each model takes the codes before it."""
    if chain.tokenizers and len(chain.tokenizers) != len(chain.codes):
        raise CheckpointError(
            f"A hierarchy of {counted(len(chain.codes), 'scale')} of codes cannot have "
            f"{counted(len(chain.tokenizers), 'tokenizer')}: copy the folder again."
        )
    for scale, (tokenizer, model) in enumerate(zip(chain.tokenizers, chain.codes, strict=False)):
        if model.image.levels != tokenizer.fsq.size or model.image.channels != 1 or model.image.ordered:
            raise CheckpointError(
                f"The model of the codes of scale {scale + 1} has {model.image}, and its tokenizer makes "
                f"{tokenizer.codes}: copy the whole folder again."
            )
    for scale, finer in enumerate([chain.pixels, *chain.codes[:-1]]):
        hint = chain.hints[scale]
        taken = None if finer is None else finer.config.condition(HintConfig)
        if finer is not None and (taken is None or _kind(taken) != _kind(hint)):
            raise CheckpointError("A model of this hierarchy does not take the codes before it: copy the folder again.")


def _kind(hint: HintConfig | CodeHint) -> tuple[int, tuple[int, bool] | None]:
    return hint.channels, None if hint.image is None else (hint.image.levels, hint.image.ordered)


@dataclass(frozen=True)
class CodeLength:
    """-log p(codes) - log p(x | codes) of images, in parts.

    The encoder is deterministic, so the codes and the image given the codes are a lossless code of the image. Other
    codes might give the same image, so it is an upper bound on -log p(x).

    ```python
    length = hierarchy.code_length(x)
    length.bits_per_dim, length.nats["codes"]
    ```

    Attributes:
        nats: negative log-likelihood of each image at each scale given the scales before it, `[n]`, coarse to fine.
        dims: numbers of the grid of each scale.
    """

    nats: Mapping[str, Float[Tensor, " n"]]
    dims: Mapping[str, int]

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {float(nats.mean()):.2f}" for name, nats in self.nats.items())
        return f"CodeLength({float(self.total.mean()):.2f} nats: {parts})"

    @property
    def total(self) -> Float[Tensor, " n"]:
        """Sum over the scales, in nats."""
        return torch.stack(list(self.nats.values())).sum(0)

    @property
    def bits_per_dim(self) -> Float[Tensor, " n"]:
        """Bits of all scales, per number of the finest grid."""
        return bits_per_dim(self.total, list(self.dims.values())[-1])

    def bits_per_number(self, scale: str) -> Float[Tensor, " n"]:
        """Bits of a scale per number of its grid: bits per code, or bits per sub-pixel."""
        return bits_per_dim(self.nats[scale], self.dims[scale])
