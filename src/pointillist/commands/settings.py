"""Settings of a command: a class each, declared once for the command line, for jobs and for Python.

Neither typer nor torch is needed: `commands/cli/parameters.py` makes the options of a command from its class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, get_type_hints

from pointillist.errors import without_effect

REQUIRED = MISSING
FLAG = " "  # a flag has no value to name
_TYPED = {"bool": bool, "int": int, "float": float, "str": str}


@dataclass(frozen=True)
class Option:
    """A setting as an option of the command line.

    ```python
    @dataclass(frozen=True, kw_only=True)
    class CountSettings(Settings):
        model: str = MODEL.field()
        n: int = option(16, "N", "Images.", low=1)
    ```

    Attributes:
        metavar: name of the value on the help page.
        help: the help text.
        flags: such as `("--out", "-o")`; by default from the name of the setting.
        panel: heading of the help page.
        low, high: smallest and largest value.
        parameter: the name by which messages of the package mean the setting; by default its own.
        show_default: whether the help page shows the default.
        standard_stream: whether `-` stands for standard output, or input.
        needs: settings, of which one must be given for this one to have an effect.
    """

    metavar: str | None
    help: str
    flags: tuple[str, ...] = ()
    panel: str | None = None
    low: int | None = None
    high: int | None = None
    parameter: str | None = None
    show_default: bool = True
    standard_stream: bool = False
    needs: tuple[str, ...] = ()

    def field(self, default: Any = REQUIRED) -> Any:
        """Declare a field of a class of settings; it is required unless it has a default."""
        return field(default=default, metadata={"option": self})

    def sampling_field(self, default: Any) -> Any:
        """Declare a field of a class of settings with the type of the field of `SamplingConfig` of its name.

        It is annotated with `Any`, so that its type is declared once. `SamplingConfig` is imported when the option is
        made: `pointillist --help` does not wait for it.

        ```python
        guidance: Any = Option("X", "Classifier-free guidance scale. Default: the model's own.").sampling_field(None)
        ```
        """
        return field(default=default, metadata={"option": self, "sampling": True})


@dataclass(frozen=True)
class Argument(Option):
    """A setting as an argument of the command line: typed without a flag."""


def option(default: Any, metavar: str | None, help_text: str, **more: Any) -> Any:
    """Declare a field with its default, as an option; `more` are further attributes of `Option`."""
    return Option(metavar, help_text, **more).field(default)


def sampling_option(default: Any, metavar: str | None, help_text: str, **more: Any) -> Any:
    """Declare a setting of sampling with its default, as an option; see `Option.sampling_field`."""
    return Option(metavar, help_text, **more).sampling_field(default)


class Panel(str):
    """A heading of the help page, and the options under it.

    ```python
    OUTPUT = Panel("Output")
    force: bool = OUTPUT.option(False, FLAG, "Replace existing files.")
    ```
    """

    __slots__ = ()

    def option(self, default: Any, metavar: str | None, help_text: str, **more: Any) -> Any:
        """Declare a field as an option under this heading; see `option`."""
        return option(default, metavar, help_text, panel=self, **more)

    def sampling_option(self, default: Any, metavar: str | None, help_text: str, **more: Any) -> Any:
        """Declare a setting of sampling as an option under this heading; see `sampling_option`."""
        return sampling_option(default, metavar, help_text, panel=self, **more)


def argument(metavar: str, help_text: str, default: Any = REQUIRED) -> Any:
    """Declare a field as an argument."""
    return Argument(metavar, help_text).field(default)


@dataclass(frozen=True)
class Setting:
    """A setting of a class of settings.

    Attributes:
        name: the name of the field.
        type: its type.
        default: its default, or `REQUIRED`.
        option: its place on the command line.
    """

    name: str
    type: Any
    default: Any
    option: Option

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags, such as `--out`, `-o`."""
        short = len(self.name) == 1
        return self.option.flags or (f"-{self.name}" if short else f"--{self.name.replace('_', '-')}",)

    @property
    def parameter(self) -> str:
        """The name by which messages of the package mean the setting."""
        return self.option.parameter or self.name

    def is_changed(self, settings: Settings) -> bool:
        """Return True if an object of the class has another value than the default."""
        return bool(getattr(settings, self.name) != self.default)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of the settings of a command.

    Attributes:
        module: the module of `commands` that has the functions `job` and `merge`, if the command can be a job.
        merged: ending of the file that `merge` writes.
        plain_only: settings that a job does not have, which keep their defaults; names and spaces.
    """

    module: ClassVar[str] = ""
    merged: ClassVar[str] = ".npz"
    plain_only: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Reject a setting that has no effect, because no setting that it needs is given."""
        settings = {item.name: item for item in fields(self) if "option" in item.metadata}
        changed = [name for name, item in settings.items() if getattr(self, name) != item.default]
        for name in changed:
            needs = settings[name].metadata["option"].needs
            if needs and not set(needs) & set(changed):
                raise without_effect(
                    _flag(settings[name]), getattr(self, name), [_flag(settings[n]) for n in needs if n in settings]
                )


def _flag(item: Field[Any]) -> str:
    """Return the flag of a setting, such as `--out`."""
    flags: tuple[str, ...] = item.metadata["option"].flags
    return flags[0] if flags else f"--{item.name.replace('_', '-')}"


def settings_of(config: type[Settings], *, job: bool = False) -> Iterator[Setting]:
    """Yield the settings of a class, or of its job, in the order of the help page, without the settings of run files.

    Settings that several commands share follow its own.

    ```python
    [setting.name for setting in settings_of(EvaluateSettings)]  # ["model", "data", "split", ...]
    ```
    """
    types = get_type_hints(config)
    for item in sorted(fields(config), key=lambda item: item.name not in config.__annotations__):
        if "option" in item.metadata and not (job and item.name in config.plain_only.split()):
            kind = _sampling_type(item) if "sampling" in item.metadata else types[item.name]
            yield Setting(item.name, kind, item.default, item.metadata["option"])


def _sampling_type(item: Field[Any]) -> Any:
    """Return the type of a setting of sampling on the command line: the first that can be typed, or nothing."""
    from pointillist.sampling.config import SamplingConfig

    (annotation,) = (field.type for field in fields(SamplingConfig) if field.name == item.name)
    kind: Any = next(_TYPED[name] for name in str(annotation).split(" | ") if name in _TYPED)
    return kind | None if item.default is None else kind


def to_dict(settings: Settings) -> dict[str, Any]:
    """Return the settings of a job by name, as JSON holds them."""
    from pointillist.files.arrays import plain

    return {setting.name: plain(getattr(settings, setting.name)) for setting in settings_of(type(settings), job=True)}


MODEL = Argument("MODEL", "A model folder, a bundled name, or hf:USER/MODEL.")
BATCH_SIZE = Option("N", "Images at once; the result does not change, but for rounding in floating point.", low=1)
DEVICE = Option("NAME", "cpu, cuda, or auto.")
SETS = Option("KEY=VALUE", "Override a data setting, such as data.size=32; repeatable.")
FORCE = Option(FLAG, "Replace existing files.")
JSON = Option(FLAG, "Print the result as JSON.", flags=("--json",))
ONLY_JSON = Option(FLAG, "Print JSON, and nothing else, on stdout.", flags=("--json",))
PRINT_JSON = Option(FLAG, "Print JSON.", flags=("--json",))
