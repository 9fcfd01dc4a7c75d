"""Write `docs/reference/cli.md` from the options of the commands, which `--help` shows too.

Run `python tools/make_cli.py` after changing an option; a test compares the page with the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from pointillist.commands.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
HEAD = """# The command line

<!-- Made by tools/make_cli.py from the commands: do not edit. -->

`pointillist COMMAND --help` shows the same in a terminal. `MODEL` is a model folder, the name of a bundled model
(`pointillist models` lists them) or `hf:USER/MODEL` on the hub. `DATA` is a folder of images, an `.npz`, `.npy` or
`.parquet` file, `hf:USER/NAME`, or a built-in name. Nothing but `hf:` (and `mnist`, `fashion-mnist`, `cifar10`) asks
the hub.

An error is one sentence on stderr with exit code 2, and leaves no partial files. After Ctrl-C the exit code is 130.
`--debug` (or `POINTILLIST_DEBUG=1`) shows the traceback.
"""


def page() -> str:
    """Render the page."""
    root: Any = typer.main.get_command(app)
    return "\n".join([HEAD, *_commands("", root, root)])


def _commands(prefix: str, group: Any, root: Any) -> Iterator[str]:
    """Render each command of a group, and after it those of its own."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        plain = root.get_command(None, name) if prefix else None
        yield _command(f"{prefix}{name}", command, plain.params if plain else [])
        if hasattr(command, "list_commands"):
            yield from _commands(f"{prefix}{name} ", command, root)


def _command(name: str, command: Any, others: list[Any]) -> str:
    """Render a command; options that `others` declare with the same words are named only."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join(
        [
            f"pointillist {name} {'COMMAND' if hasattr(command, 'list_commands') else '[OPTIONS]'}",
            *(a.metavar if a.required else f"[{a.metavar}]" for a in arguments),
        ]
    )
    parts = [f"## `pointillist {name}`", command.help.strip().replace("\b", ""), f"```text\n{usage}\n```"]
    parts += [_table("Argument", arguments)] if arguments else []
    rows = {_row(other) for other in others}
    same = [option for option in options if _row(option) in rows]
    options = [option for option in options if option not in same]
    panels = dict.fromkeys(getattr(o, "rich_help_panel", None) or "Options" for o in options)
    for panel in panels:
        parts.append(_table(panel, [o for o in options if (getattr(o, "rich_help_panel", None) or "Options") == panel]))
    if same:
        shared = ", ".join(f"`{option.opts[0]}`" for option in same)
        parts.append(f"Also these options of `pointillist {name.rpartition(' ')[2]}`: {shared}.")
    if command.epilog:
        lines = [
            line.strip()
            for line in command.epilog.splitlines()
            if line.strip() and not line.strip().startswith("Example")
        ]
        parts.append("```bash\n" + "\n".join(lines) + "\n```")
    return "\n\n".join(parts) + "\n"


def _table(title: str, params: list[Any]) -> str:
    return "\n".join([f"| {title} | |", "|---|---|", *(_row(param) for param in params)])


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        name = f"`{param.metavar}`"
    else:
        metavar = (param.metavar or "").strip()
        names = ", ".join(f"`{o}`" for o in [*param.opts, *param.secondary_opts])
        name = f"{names} `{metavar}`" if metavar else names
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (name, _help(param))) + " |"


def _help(param: Any) -> str:
    """Return the help text, with the default that typer adds in a terminal."""
    shown = param.show_default if param.param_type_name == "option" else False
    plain = isinstance(param.default, (int, float, str)) and not isinstance(param.default, bool)
    return f"{param.help} Default: {param.default}." if shown is True and plain else str(param.help)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
