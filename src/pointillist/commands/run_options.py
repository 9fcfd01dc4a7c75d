"""Options of the command line for settings of a run file.

Type, default and description of an option come from the field at its key. The config classes are imported when
they are asked for: `pointillist --help` does not wait for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pointillist.commands.settings import FLAG, Option, Setting


@dataclass(frozen=True)
class RunOption:
    """An option for a setting of a run file.

    ```python
    RunOption("--lr", "train.optimizer.lr", "Training", "X").setting.option.help  # "Peak learning rate. ..."
    ```

    Attributes:
        flags: such as `--lr`, or `--labels/--no-labels`.
        key: dotted key in a run file.
        panel: heading of the help page.
        metavar: name of the value on the help page.
        turns_off: True if the flag sets the setting to False.
        help: help of a flag that turns off, whose field is described the other way round.
        needs: keys, of which one must be set for this one to have an effect.
    """

    flags: str
    key: str
    panel: str
    metavar: str = FLAG
    turns_off: bool = False
    help: str | None = None
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.flags.split("/")[0].strip("-").replace("-", "_")

    @property
    def setting(self) -> Setting:
        """The option with the type and the description of its field; without a value, nothing is set."""
        from pointillist.commands.fields import config_field

        field = config_field(self.key)
        help_text = f"{self.help or field.description}{_default_text(field.default)}"
        help_text = help_text.replace("[", "(").replace("]", ")")  # brackets are markup on the help page
        option = Option(self.metavar, help_text, flags=(self.flags,), panel=self.panel, show_default=False)
        return Setting(self.name, field.type | None, None, option)

    def value(self, typed: Any) -> Any:
        """Convert text from the command line to the value of the setting."""
        from pointillist.commands.fields import config_field
        from pointillist.files.settings_tree import parse_value

        if isinstance(typed, StrEnum):
            return str(typed)
        if config_field(self.key).is_union:
            return parse_value(typed)
        return not typed if self.turns_off else typed


def _default_text(default: Any) -> str:
    if default is None or default == () or isinstance(default, bool):
        return ""
    if isinstance(default, tuple):
        return f" Default: {','.join(default)}."
    return f" Default: {default:g}." if isinstance(default, float) else f" Default: {default}."
