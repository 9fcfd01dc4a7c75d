"""`pointillist example`: write an example file that comes with the package."""

from __future__ import annotations

import typer

from pointillist.cli.output import print_facts
from pointillist.commands.inspection.settings import ExampleSettings
from pointillist.commands.paths import reject_existing

EPILOG = """Examples:

  pointillist example

  pointillist example tile

  pointillist example digits my-digits/"""


def example(settings: ExampleSettings) -> None:
    """Write an example file to try things with: a tile, a photograph, digits, rules for maps, an extension of Tiled."""
    from pointillist.data.examples import EXAMPLES, default_path, write_example
    from pointillist.errors import ConfigError

    if settings.name is None:
        print_facts(EXAMPLES.items())
        return
    target = settings.path or default_path(settings.name)
    if settings.name != "digits":
        reject_existing(target, settings.force)
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is already there: give the path of a new folder.")
    write_example(settings.name, target)
    typer.echo(f"written    {target}")
