"""Base class of the settings of a kind of condition. Needs no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import ConfigDict

from pointillist.conditioning.portable import PortableEncoder
from pointillist.errors import ConfigError
from pointillist.files.settings_tree import StrictNumbers

if TYPE_CHECKING:
    from pointillist.conditioning.encoder import ConditionEncoder
    from pointillist.data import ImageDataset
    from pointillist.images import ImageSpec

Config = TypeVar("Config", bound="ConditionConfig")


class ConditionConfig(StrictNumbers):
    """Settings of one kind of condition: `[model.conditions.KIND]` in a run file, an entry of `config.json`.

    What only the images can tell, such as the names of classes, may be left out until `infer` fills it in. A subclass
    is registered with `register_condition` under its `kind`.

    ```python
    class BrightnessConfig(ConditionConfig):
        kind: ClassVar[str] = "brightness"
        width: int = 8
    ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    kind: ClassVar[str]
    added_by_finetuning: ClassVar[bool] = True
    """Whether annotated images add the condition to a fine-tuned model that did not have it."""
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = ()
    """The halves of its encoders that work without torch; see `ConditionEncoder.portable`."""

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
        """New encoders by module name, in the order of their features.

        For kinds of this package, a function in `conditioning/encoders` makes them: it needs torch, and the settings do
        not.
        """
        from pointillist.conditioning.encoders import HOMES

        home = import_module(f"pointillist.conditioning.encoders.{HOMES[self.kind]}")
        encoders: dict[str, ConditionEncoder] = getattr(home, f"{self.kind}_encoders")(self, image)
        return encoders

    def value_form(self) -> str:
        """Say in a few words what a value is, as a hint in the field of the studio."""
        return "a value: a number, a list, or text"

    def describe(self) -> list[str]:
        """A few words for each input, for model cards and `pointillist info`."""
        return [self.kind]

    @classmethod
    def unsupported(cls, value: Any) -> ConfigError:
        """Return the error for a value that is given to a model without this condition."""
        return missing(cls.kind)


def missing(keyword: str, what: str | None = None, value: str = "") -> ConfigError:
    """Return the error for a condition that a model was trained without."""
    what = f"`{keyword}`" if what is None else what
    return ConfigError(f"`{keyword}`{value} cannot be used: this model was trained without {what}. Leave it out.")
