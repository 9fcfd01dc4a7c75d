"""Options and arguments of a command, made from the settings that it takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.main import get_command

from pointillist.commands.run_options import RunOption
from pointillist.commands.settings import REQUIRED, Argument, Setting, Settings, settings_of
from pointillist.errors import ConfigError

_PATH = re.compile("DATA|DIR|FILE|IMAGE|MODEL|NORMAL|TOML|Path")
"""Of the name and the type of a setting that takes a path; a file that is called `-` is `./-`."""


def with_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the parameters that typer reads: the fields of the class of its argument `settings`.

    ```python
    def evaluate(settings: EvaluateSettings) -> None: ...

    with_parameters(evaluate)(model="digits", data="scans/")  # calls it with EvaluateSettings(...)
    ```
    """
    config = get_type_hints(command).get("settings")
    if config is None:
        return command
    others = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "settings"]

    def call(**values: Any) -> None:
        rest = {p.name: values.pop(p.name) for p in others}
        command(settings=parsed(config, values), **rest)

    settings = [*settings_of(config), *(option.setting for option in run_options(config))]
    return with_signature(call, [*others, *map(parameter, settings)], command.__doc__)


def with_signature(
    function: Callable[..., None], parameters: Iterable[inspect.Parameter], doc: str | None
) -> Callable[..., None]:
    """Give a function that takes keywords the signature and the docstring that typer reads."""
    keywords = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    function.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in keywords}
    function.__doc__ = doc
    return function


def typer_command(name: str, function: Callable[..., None]) -> Any:
    """Make the command that typer runs: the examples in its docstring stand at the end of its help."""
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    about, _, examples = inspect.cleandoc(function.__doc__ or "").partition("Examples:\n")
    single.command(name, help=about.strip(), epilog=examples_text(examples))(function)
    return get_command(single)


def examples_text(examples: str) -> str:
    """Return a text with an example in each line as the help shows it: a heading, and a paragraph for each."""
    lines = [f"  {line.strip()}" for line in examples.strip().splitlines()]
    return "\n\n".join([f"Example{'s' if len(lines) > 1 else ''}:", *lines]) if lines else ""


def parameter(setting: Setting) -> inspect.Parameter:
    option = setting.option
    shared: dict[str, Any] = {"metavar": option.metavar, "help": option.help, "min": option.low, "max": option.high}
    if isinstance(option, Argument):
        info: Any = typer.Argument(show_default=False, **shared)
    else:
        info = typer.Option(*setting.flags, rich_help_panel=option.panel, show_default=option.show_default, **shared)
    annotation, default = setting.type, setting.default
    if get_origin(annotation) is tuple:
        annotation = list[get_args(annotation)[0]]  # type: ignore[misc]
        if default is not REQUIRED:
            annotation, default = annotation | None, list(default) or None
    return inspect.Parameter(
        setting.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is REQUIRED else default,
        annotation=Annotated[annotation, info],
    )


def values_of(config: type[Settings], typed: Mapping[str, object], *, job: bool = False) -> dict[str, Any]:
    return {setting.name: _value(setting, typed[setting.parameter]) for setting in settings_of(config, job=job)}


def parsed(config: type[Settings], values: Mapping[str, object]) -> Any:
    """Make the settings of typed values, by the names of the parameters."""
    settings = values_of(config, values)
    run = {o.key: o.value(_value(o.setting, values[o.name])) for o in run_options(config) if values[o.name] is not None}
    return config(**settings, **({"run": run} if run else {}))


def run_options(config: type[Settings]) -> tuple[RunOption, ...]:
    """List the options of a command that are settings of a run file."""
    return next((f.metadata["run"] for f in fields(config) if "run" in f.metadata), ())


def _value(setting: Setting, typed: Any) -> Any:
    value = tuple(typed or ()) if get_origin(setting.type) is tuple else typed
    option, paths = setting.option, "--out" in setting.flags or _PATH.search(f"{setting.option.metavar} {setting.type}")
    if paths and not option.standard_stream and "-" in map(str, value if isinstance(value, tuple) else [value]):
        name = option.metavar if isinstance(option, Argument) else setting.flags[0]
        raise ConfigError(
            f"`{name}` (=-) is standard output or input, to which only `compress` writes and from which only "
            "`decompress` reads: give a path."
        )
    return value
