"""Settings of a kind of condition, and the registry of the kinds. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import ConfigDict, ValidationError

from pointillist.conditioning.portable import PortableEncoder
from pointillist.errors import ConfigError, choices, format_validation_error
from pointillist.files.settings_tree import StrictNumbers
from pointillist.files.suggestions import remedy
from pointillist.images import ImageSpec

if TYPE_CHECKING:
    from pointillist.conditioning.encoder import ConditionEncoder
    from pointillist.data import ImageDataset

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
    incomplete: ClassVar[dict[str, str]] = {}
    """Settings that a model needs, and the error of one that is empty."""

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
        for name, sentence in self.incomplete.items():
            if not getattr(self, name):
                raise ConfigError(sentence)

    def encoders(self, image: ImageSpec) -> dict[str, ConditionEncoder]:
        """New encoders by module name, in the order of their features.

        For kinds of this package, a function in `conditioning/encoders` makes them: it needs torch, and the settings do
        not.
        """
        home = import_module(f"pointillist.conditioning.encoders.{_SHIPPED[self.kind][1]}")
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


DEDICATED = ("label", "attributes", "hint", "text", "known")
"""Kinds with dedicated options and fields; a value of any other is given by its name."""

_SHIPPED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "label": ("LabelConfig", "vectors", ()),
    "attributes": ("AttributesConfig", "vectors", ("attributes",)),
    "vector": ("VectorConfig", "vectors", ("vectors",)),
    "hint": ("HintConfig", "grids", ("hints",)),
    "text": ("TextConfig", "text", ("prompts", "tokens")),
    "known": ("KnownConfig", "grids", ("known",)),
}
"""Settings class of each kind of this package, in the file of its name, the file of `encoders/` with its encoders, and
the keys of its encoders without torch."""

_KINDS: dict[str, type[ConditionConfig] | None] = dict.fromkeys(_SHIPPED)
"""Registered classes by kind; None for a class that nothing has looked up."""


class _Kinds(Mapping[str, type[ConditionConfig]]):
    """Registered classes by kind; a class of this package is imported when it is looked up."""

    def __getitem__(self, kind: str) -> type[ConditionConfig]:
        config = _KINDS[kind]
        if config is None:
            config = getattr(import_module(f"pointillist.conditioning.{kind}"), _SHIPPED[kind][0])
            _KINDS[kind] = config
        return config

    def __iter__(self) -> Iterator[str]:
        return iter(_KINDS)

    def __len__(self) -> int:
        return len(_KINDS)


def condition_kinds() -> Mapping[str, type[ConditionConfig]]:
    """Registered settings classes by kind, in the order of their features in a model.

    ```python
    list(condition_kinds())  # ["label", "attributes", "vector", "hint", "text", "known"]
    ```
    """
    return _Kinds()


def register_condition(config: type[ConditionConfig]) -> type[ConditionConfig]:
    """Register a kind of condition; usable as a class decorator.

    ```python
    @register_condition
    class BrightnessConfig(ConditionConfig):
        kind = "brightness"
        ...
    ```

    Raises:
        ConfigError: if the kind is taken by another class.
    """
    taken = condition_kinds().get(config.kind)
    if taken is not None and (taken.__module__, taken.__qualname__) != (config.__module__, config.__qualname__):
        raise ConfigError(f"`kind` (={config.kind!r}) is taken by {taken.__name__}: choose another name.")
    _KINDS[config.kind] = config
    return config


def unsupported_condition(keyword: str, value: Any) -> ConfigError:
    """Return the error for a condition that a model was not trained with.

    ```python
    raise unsupported_condition("text", "a red dragon")
    ```
    """
    if keyword not in _KINDS:
        return ConfigError(f"`{keyword}` is not a condition: {remedy('log_prob', keyword, tuple(_KINDS))}.")
    return condition_kinds()[keyword].unsupported(value)


def portable_encoder(key: str) -> type[PortableEncoder] | None:
    """Return the class of encoders that work without torch and have a key in `program.json`; None for an unknown key.

    ```python
    portable_encoder("known").__name__  # "KnownFeatures"
    ```
    """
    kinds = condition_kinds()
    # of this package, only the kind that has the key is imported; a kind of a user is there already
    candidates = (kind for kind in kinds if kind not in _SHIPPED or key in _SHIPPED[kind][2])
    classes = (portable for kind in candidates for portable in kinds[kind].portable)
    return next((portable for portable in classes if portable.key == key), None)


def parse_conditions(tree: Mapping[str, Any]) -> dict[str, ConditionConfig]:
    """Parse a table of conditions, `{"label": {"classes": [...]}, ...}`, in the order of the registry.

    ```python
    parse_conditions({"label": {"classes": ("cat", "dog")}})["label"].width  # 64
    ```

    Raises:
        ConfigError: naming the first kind or setting that is wrong.
    """
    unknown = [kind for kind in tree if kind not in _KINDS]
    if unknown:
        raise ConfigError(f"There is no condition `{unknown[0]}`: {choices(unknown[0], _KINDS)}")
    return {kind: _parsed(kind, tree[kind]) for kind in _KINDS if tree.get(kind) is not None}


def expand_condition(kind: str, value: Any, image: ImageSpec) -> ConditionConfig:
    """Expand a short value, such as the size of a vector, to the settings of a condition.

    ```python
    expand_condition("vector", 3, image).size  # 3
    ```

    Raises:
        ConfigError: if the value is not one of this condition.
    """
    if isinstance(value, ConditionConfig):
        return value
    try:
        return condition_kinds()[kind].of(value, image)
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, f"a setting of the condition {kind}")) from error


def _parsed(kind: str, settings: Any) -> ConditionConfig:
    config = condition_kinds()[kind]
    if isinstance(settings, config):
        return settings
    if not isinstance(settings, Mapping):
        raise ConfigError(f"`conditions.{kind}` (={settings!r}) must be a table of settings, or left out.")
    try:
        return config(**settings)
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, f"a setting of the condition {kind}")) from error
