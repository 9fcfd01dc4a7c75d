"""`pointillist example`: write an example file that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointillist.cli.output import print_facts, reject_existing
from pointillist.cli.settings import FLAG

EPILOG = """Examples:

  pointillist example

  pointillist example tile

  pointillist example digits my-digits/"""

Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="tile, photo, digits or rules; without it, list them.")
]
Target = Annotated[Path | None, typer.Argument(metavar="[PATH]", help="File or folder to write. Default: its name.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace an existing file.")]


def example(name: Name = None, path: Target = None, force: Force = False) -> None:
    """Write an example file to try things with: a tile, a photograph, a folder of digits, or rules for maps."""
    from pointillist.data.examples import EXAMPLES, default_path, write_example
    from pointillist.errors import ConfigError

    if name is None:
        print_facts(EXAMPLES.items())
        return
    target = path or default_path(name)
    if name != "digits":
        reject_existing(target, force)
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is already there: give the path of a new folder.")
    write_example(name, target)
    typer.echo(f"written    {target}")
