"""Base classes of a kind of condition: its settings and its encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from jaxtyping import Float
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pointillist.checkpoint.conditions import describe_condition
from pointillist.conditioning.inputs import MaskedValue
from pointillist.data import Batch
from pointillist.nn import Tokens

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.images import ImageSpec

Config = TypeVar("Config", bound="ConditionConfig")


class ConditionConfig(BaseModel):
    """Settings of one kind of condition: `[model.conditions.KIND]` in a run file, an entry of `config.json`.

    What only the images can tell, such as the names of classes, may be left out until `infer` fills it in. A subclass
    is registered with `register_condition` under its `kind`.

    ```python
    class BrightnessConfig(ConditionConfig):
        kind: ClassVar[str] = "brightness"
        width: int = 8
    ```
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    added_by_finetuning: ClassVar[bool] = True
    """Whether annotated images add the condition to a fine-tuned model that did not have it."""

    @classmethod
    def of(cls: type[Config], value: Any, image: ImageSpec) -> Config:
        """Expand the short form that `build` takes.

        Args:
            value: for example the number of classes, or `"lowres:2"` for a hint.
            image: kind of image that the model generates.

        Raises:
            ConfigError: if there is no such form.
        """
        raise NotImplementedError

    @classmethod
    def infer(cls: type[Config], settings: Config | None, data: ImageDataset) -> Config | None:
        """Complete settings from a data set; None where the data has no such annotation and none was asked for.

        Args:
            settings: what was set; None for the defaults.
            data: the training images with their annotations.

        Raises:
            ConfigError: if the settings do not fit the data.
        """
        raise NotImplementedError

    def check_complete(self) -> None:
        """Raise a `ConfigError` if something is missing that `infer` or `of` would have filled in."""

    def encoders(self, image: ImageSpec) -> dict[str, ConditionEncoder]:
        """New encoders by module name, in the order of their features."""
        raise NotImplementedError

    def describe(self) -> list[str]:
        """A few words for each input, for model cards and `pointillist info`."""
        return describe_condition(self.kind, self.model_dump(mode="json"))


class ConditionEncoder(nn.Module):
    """Encoder of one condition that may be unknown; features that stand for "unknown" are learned.

    ```python
    encoder = model.conditions.encoders["label"]
    value = encoder.parse("3", 4, (8, 8))
    encoder(value).shape  # (4, 64, 1, 1)
    ```

    Attributes:
        keyword: the keyword under which a user gives the value.
        vector_width, map_width, tokens_width: features it adds to the vector or to the map that enter every layer, or
            of its tokens; two are 0.
    """

    keyword: str
    vector_width: int = 0
    map_width: int = 0
    tokens_width: int = 0

    def parse(self, value: Any, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Validate the value that a user gives for `batch_size` images of a size; None leaves it unknown.

        Raises:
            ConfigError, ShapeError, DataError: naming what is wrong with it.
        """
        raise NotImplementedError

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Read the condition of each image of a batch; unknown where the data set has none.

        Raises:
            ConfigError: if the data set has a value that the encoder does not know.
        """
        raise NotImplementedError

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d h w"] | Tokens:
        """Features: `b d 1 1`, a map, or tokens. They do not depend on values that are not known."""
        raise NotImplementedError

    def embedding_tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """Embeddings of named values, with their names; the last row, beyond them, stands for "unknown"."""
        return {}
