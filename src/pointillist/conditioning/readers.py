"""Reading of conditions without torch: what a user gives, or a data set has, becomes arrays with masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack, runtime_checkable

from pointillist.errors import ConfigError, without_effect

if TYPE_CHECKING:  # `--help` of a command needs the names of keywords, and not numpy
    import numpy as np

    from pointillist.conditioning.hint import HintReader
    from pointillist.conditioning.inputs import ConditionInputs, MaskedValue
    from pointillist.conditioning.label import Label
    from pointillist.conditioning.prompts import PromptReader
    from pointillist.data import Batch
    from pointillist.images import ImageSpec
    from pointillist.images.array_types import Float


class ConditionKwargs(TypedDict, total=False):
    """Conditions other than `label` and `text`, as a user gives them: one for all images, or one each.

    ```python
    pt.sample(model, 4, attributes={"hair": "red"}, vector=[0.2, 1.5])
    ```

    Attributes:
        attributes: values by the name of the attribute, each a number or a name: `{"hair": 2, "eyes": "blue"}`.
        vector: floats `[d]` or `[n d]`.
        hint: an image on the same grid, `[c h w]` or `[n c h w]`: levels, or floats where the model takes floats; or
            pictures (PIL).
    """

    attributes: Mapping[str, Any] | None
    vector: Any
    hint: Any


def count_images(conditions: Mapping[str, Any]) -> int:
    """Return the number of images that conditions describe: as many as one of them has values; 1 where all have one.

    ```python
    count_images({"text": ["heart", "home"], "label": "tabler"})  # 2
    ```

    Args:
        conditions: values by keyword, as for `ConditionKwargs`; `label` and `text`; `uniforms`. Others are ignored.
    """
    attributes = conditions.get("attributes")
    values = [conditions.get("label"), conditions.get("text")]
    values += attributes.values() if isinstance(attributes, Mapping) else []
    return max(
        *(_length(value, 1) for value in values),
        _length(conditions.get("vector"), 2),
        _length(conditions.get("hint"), 4),
        _length(conditions.get("uniforms"), 4),
        1,
    )


def _length(value: Any, ndim: int) -> int:
    """Return the length of a batch, which has this number of axes; a list of arrays or pictures is one too."""
    if value is None or isinstance(value, str) or not hasattr(value, "__len__"):
        return 1
    axes = getattr(value, "ndim", None)
    if axes is None:  # a sequence; a sequence of numbers is a vector
        axes = ndim if ndim != 2 or any(hasattr(each, "__len__") for each in value) else 1
    return len(value) if axes == ndim else 1


@runtime_checkable
class ConditionReader(Protocol):
    """Protocol of what reads the values of one condition.

    Attributes:
        keyword: the keyword under which a user gives the value.
    """

    @property
    def keyword(self) -> str: ...

    def read(self, value: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Validate the value that a user gives for `count` images of a size; None leaves it unknown.

        Raises:
            ConfigError, ShapeError, DataError: naming what is wrong with it.
        """

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Read the condition of each image of a batch; unknown where the data set has none.

        Raises:
            ConfigError: if the data set has a value that the model does not know.
        """


class ConditionReaders:
    """Base of the conditions of a model: it reads all of them.

    ```python
    conditions = pt.load("digits").conditions
    conditions.inputs(label="3", count=4).parts["label"].values  # [3, 3, 3, 3]
    ```
    """

    @property
    def readers(self) -> Mapping[str, ConditionReader]:
        """Readers by the name of the encoder, in the order of their features."""
        raise NotImplementedError

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers of the images."""
        raise NotImplementedError

    def unsupported(self, keyword: str, value: object) -> ConfigError:
        """Return the error for a condition that the model does not take."""
        from pointillist.conditioning.registry import unsupported_condition

        return unsupported_condition(keyword, value)

    def log_marginals(self, inputs: ConditionInputs) -> Float[np.ndarray, "b k h w"] | None:
        """Compute log-probabilities of all levels at each pixel given the known pixels alone, in nats, in one pass.

        None for a model that was not trained to: its `[train.completion]` has no `marginals`.
        """
        return None

    def inputs(
        self,
        label: Label = None,
        count: int = 1,
        text: Any = None,
        *,
        size: tuple[int, int] | None = None,
        known: tuple[Any, Any] | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> ConditionInputs:
        """Validate what a user gives for `count` images: one for all or one each; None leaves a condition out.

        Args:
            label: by number or name.
            text: prompts.
            size: height and width of the images; None for the model's own.
            known: levels of the image itself, and the mask of its known pixels; see `KnownReader.read`.
            further: see `ConditionKwargs`; a registered kind of condition by its own keyword.

        Raises:
            ConfigError, ShapeError, DataError: if the model does not take them.
        """
        from pointillist.conditioning.inputs import ConditionInputs

        values: Mapping[str, Any] = {"label": label, "text": text, "known": known, **further}
        keywords = {reader.keyword for reader in self.readers.values()}
        for name, value in values.items():
            if value is not None and name not in keywords:
                raise self.unsupported(name, value)
        size = size or (self.image.height, self.image.width)
        parts = {name: reader.read(values.get(reader.keyword), count, size) for name, reader in self.readers.items()}
        return ConditionInputs(count, parts)

    def check_guided(self, guidance: float | None, *, conditional: bool, negative: Any = None) -> None:
        """Check that guidance that a user asks for changes something, and that the model reads negative prompts.

        Args:
            guidance: the scale; None if the model's own is taken, which only counts for images with conditions.
            conditional: whether an image has a condition.
            negative: negative prompts; None for none.

        Raises:
            ConfigError: naming the conditions that the model takes, or `negative_prompt`.
        """
        if negative is not None and self.reader("text") is None:
            raise ConfigError(str(self.unsupported("text", negative)).replace("`text`", "`negative_prompt`"))
        from pointillist.conditioning.inputs import has_prompt

        if guidance in (None, 1) or conditional or has_prompt(negative):
            return
        from pointillist.conditioning.known import OBSERVED

        keywords = [reader.keyword for reader in self.readers.values() if reader.keyword != OBSERVED]
        raise without_effect("guidance", guidance, dict.fromkeys(keywords), "a model without conditions")

    def with_prompts(self, inputs: ConditionInputs, prompts: Sequence[str]) -> ConditionInputs:
        """Add a prompt of each image to the other conditions of these images.

        Encoded prompts are large: of many images they are added batch by batch.

        Raises:
            ConfigError: if the model does not take them.
        """
        from pointillist.conditioning.inputs import ConditionInputs

        readers: dict[str, Any] = {name: each for name, each in self.readers.items() if each.keyword == "text"}
        if not readers:
            raise self.unsupported("text", prompts)
        values = {name: each.look_up(prompts) for name, each in readers.items()}
        return ConditionInputs(len(inputs), {**inputs.parts, **values})

    def from_batch(self, batch: Batch) -> ConditionInputs:
        """Read the conditions of a batch of a data set; those that the data set does not have are unknown.

        Raises:
            ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
        """
        from pointillist.conditioning.inputs import ConditionInputs

        parts = {name: reader.from_batch(batch, self.image) for name, reader in self.readers.items()}
        return ConditionInputs(len(batch), parts)

    def reader(self, keyword: str) -> Any:
        """Return what reads a condition; None for a model that does not take it."""
        return next((reader for reader in self.readers.values() if reader.keyword == keyword), None)

    @property
    def prompt_reader(self) -> PromptReader | None:
        """Reader of prompts, with the vectors of the frozen encoder, if any; None for a model that takes none."""
        reader: PromptReader | None = self.reader("text")
        return reader

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model that takes none."""
        reader: HintReader | None = self.reader("hint")
        return reader
