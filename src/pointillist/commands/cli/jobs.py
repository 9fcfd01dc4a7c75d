"""`pointillist jobs`: large work in tasks. The options of a kind of job are the settings that its file declares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pointillist.commands.cli.messages import print_report
from pointillist.commands.cli.parameters import (
    examples_text,
    parameter,
    parsed,
    typer_command,
    values_of,
    with_parameters,
    with_signature,
)
from pointillist.commands.jobs.settings import MergeSettings, RunSettings, StatusSettings
from pointillist.commands.settings import REQUIRED, settings_of

if TYPE_CHECKING:
    from pointillist.commands.jobs.api import JobStatus
    from pointillist.commands.report import Facts

EXAMPLES = """
    pointillist jobs sample digits -n 5000 --tasks 20 --workers 2 --out many
    pointillist jobs evaluate digits photos/ --tasks 8 --out scores
    pointillist jobs inpaint digits cut/ --region 14:,: --tasks 8 --out filled
    pointillist jobs status many
    pointillist jobs merge many --out many.npz
"""


class JobCommands(TyperGroup):
    """A command for each kind of job, and those that read a job; each is built on demand."""

    def list_commands(self, ctx: Any) -> list[str]:
        from pointillist.commands.jobs.settings import JOBS

        return [*JOBS, *_READERS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command called `cmd_name`, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = typer_command(cmd_name, _function(cmd_name))
        return self.commands[cmd_name]


app: typer.Typer = typer.Typer(
    name="jobs",
    cls=JobCommands,
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=True,
    epilog=examples_text(EXAMPLES),
)


@app.callback()
def jobs() -> None:
    """Run large work in tasks, on several processes and machines.

    A job is a folder with a part for each task. The same command again runs
    only what is missing. Its results do not depend on tasks, processes or
    interruptions.
    """


def _function(name: str) -> Callable[..., None]:
    return with_parameters(_READERS[name]) if name in _READERS else _command(name)


def _command(name: str) -> Callable[..., None]:
    """Make the command of a job: the settings of the plain command, and the settings of every job."""
    from pointillist.commands.jobs.settings import JOBS

    settings, shared = list(settings_of(JOBS[name], job=True)), list(settings_of(RunSettings))
    optional = [setting for setting in settings if setting.default is not REQUIRED]
    required = [setting for setting in settings if setting.default is REQUIRED]

    def command(**values: Any) -> None:
        _run(name, values, parsed(RunSettings, values))

    return with_signature(
        command,
        [parameter(setting) for setting in (*required, *shared, *optional)],
        f"Run `pointillist {name}` in tasks.",
    )


def _run(name: str, typed: dict[str, Any], options: RunSettings) -> None:
    from pointillist.commands.jobs.api import run
    from pointillist.commands.jobs.settings import JOBS

    started = time.perf_counter()
    shared = {key: getattr(options, key) for key in ("out", "tasks", "executor", "workers", "threads", "time_limit")}
    result = run(name, **shared, **values_of(JOBS[name], typed, job=True))
    facts = {**_facts(result), "seconds": round(time.perf_counter() - started, 3)}
    if result.is_finished:
        facts["merge"] = f"pointillist jobs merge {result.out} --out PATH"
    print_report(facts, options.as_json)


def _status(settings: StatusSettings) -> None:
    """Show which tasks of a job are finished, and rejected items."""
    from pointillist.commands.jobs.api import status

    print_report(_facts(status(settings.folder)), settings.as_json)


def _facts(state: JobStatus) -> Facts:
    rejected = list(state.rejected)
    return {**asdict(state), "out": str(state.out), "rejected": len(rejected), "rejected_items": rejected}


def _merge(settings: MergeSettings) -> None:
    """Write the result of a finished job, in the format of the plain command."""
    from pointillist.commands.jobs.api import merge

    facts = merge(settings.folder, settings.out, force=settings.force)
    print_report({**facts, "out": str(settings.out)}, settings.as_json)


_READERS: dict[str, Callable[..., None]] = {"status": _status, "merge": _merge}
