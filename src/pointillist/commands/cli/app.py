"""The `pointillist` program: find a command, run it, and turn every user error into one sentence.

Nothing heavy is imported here or at the top of a command's file, so that `--help` answers at once.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from pointillist.commands.cli.messages import EXIT_STOPPED, for_command_line, name_value, print_error, user_message
from pointillist.commands.cli.parameters import examples_text, typer_command, with_parameters, with_signature
from pointillist.errors import ConfigError

COMMANDS = {
    "demo": ("training", "Demo"),
    "train": ("training", "Models"),
    "sample": ("sampling", "Models"),
    "inpaint": ("sampling", "Models"),
    "world": ("sampling", "Models"),
    "reproduce": ("inspection", "Models"),
    "evaluate": ("inspection", "Models"),
    "detect": ("inspection", "Models"),
    "compress": ("sampling", "Models"),
    "decompress": ("sampling", "Models"),
    "hide": ("sampling", "Models"),
    "reveal": ("sampling", "Models"),
    "jobs": ("jobs", "Models"),
    "quantize": ("training", "Models"),
    "export": ("sampling", "Models"),
    "explain": ("inspection", "Inspect"),
    "studio": ("training", "Inspect"),
    "info": ("inspection", "Inspect"),
    "models": ("inspection", "Inspect"),
    "example": ("inspection", "Inspect"),
    "bench": ("inspection", "Inspect"),
}
"""The file of each command, and the panel of the help page that lists it."""
EXAMPLES = """
    pointillist demo
    pointillist train my-images/ --size 32 --out runs/mine
    pointillist sample runs/mine -n 16
"""
_DEBUG = "POINTILLIST_DEBUG"
_TYPED = "pointillist.typed"


class Commands(TyperGroup):
    """A group of commands, each built from its file on demand."""

    _is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command called `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = self._built(cmd_name)
        return self.commands[cmd_name]

    def _built(self, name: str) -> Any:
        module = import_module(f"pointillist.commands.cli.{COMMANDS[name][0]}")
        if hasattr(module, "app"):  # a command that has commands
            built: Any = get_command(module.app)
        else:
            command = getattr(module, name)
            shown = with_signature(lambda: None, [], command.__doc__) if self._is_listing else with_parameters(command)
            built = typer_command(name, shown)
        built.rich_help_panel = COMMANDS[name][1]
        return built

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help page, which lists the commands: they are built without their options, which takes time."""
        self._is_listing = True
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve as typer does; a misspelt name is compared with all commands, not only with those already built."""
        if args and args[0] not in COMMANDS:
            for name in COMMANDS:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept `--debug` anywhere among the arguments."""
        if "--debug" in args:
            os.environ[_DEBUG] = "1"
            args = [a for a in args if a != "--debug"]
        ctx.meta[_TYPED] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error that a user can cause ends it with one sentence and exit code 2."""
        for stream in (sys.stdout, sys.stderr):  # a name of a file may hold bytes that are not text
            if getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        if logging.lastResort is not None:  # prints what the package logs, on the stderr of the moment
            logging.lastResort.setFormatter(logging.Formatter("note       %(message)s"))
            logging.lastResort.setLevel(logging.NOTSET)  # loggers have levels, by default WARNING
        try:
            _reject_slashes(ctx.meta[_TYPED])
            return super().invoke(ctx)
        except typer.BadParameter as error:
            name_value(error)
            raise
        except KeyboardInterrupt:
            print_error("stopped.", label="")
            raise typer.Exit(EXIT_STOPPED) from None
        except Exception as error:
            command = self._typed_command(ctx)
            sentence = user_message(error, getattr(command, "name", ""))
            if sentence is None or os.environ.get(_DEBUG, "0") not in ("", "0"):
                raise
            print_error(for_command_line(sentence, command))
            raise typer.Exit(2) from None

    def _typed_command(self, ctx: Any) -> Any:
        """Return the command that was typed, also one of a command's own; None if there is none."""
        group: Any = self
        for word in ctx.meta[_TYPED]:
            result = group.get_command(ctx, word) if isinstance(group, TyperGroup) else None
            group = result or group
        return None if group is self else group


app: typer.Typer = typer.Typer(
    name="pointillist",
    cls=Commands,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog=examples_text(EXAMPLES) + "\n\nHelp for one command: pointillist COMMAND --help",
)


def _version(shown: bool) -> None:
    if shown:
        from pointillist.system import __version__

        typer.echo(f"pointillist {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show the traceback of an error (or set {_DEBUG}=1).")
    ] = False,
) -> None:
    """Generative models that paint an image one pixel at a time, with exact likelihood."""


def _reject_slashes(typed: list[str]) -> None:
    """Reject a file with a slash at its end, which says that it is a folder; a `Path` has lost that slash."""
    for value in (word.rpartition("=")[2] for word in typed if word.endswith("/")):
        if len(value) < _LONGEST_PATH and os.path.isfile(value.rstrip("/")):
            raise ConfigError(f"{value} names a folder, and there is a file of that name: leave out the slash.")


_LONGEST_PATH = 4096
"""Characters of a path that a system may take; a longer word is a text."""
_ALLOCATIONS = 10_000  # between two collections: most objects of a command come from its imports, which stay


def main() -> None:
    """Run the `pointillist` script."""
    # pydantic would look for plugins in the metadata of every installed package, which takes longer the more there are
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.set_threshold(_ALLOCATIONS)
    app(prog_name="pointillist")
