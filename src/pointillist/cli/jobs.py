"""`pointillist jobs`: large work in tasks. The options of a kind of job are the settings that its file declares."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from pointillist.cli.output import print_facts, print_json
from pointillist.cli.settings import FLAG
from pointillist.errors import counted
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from pointillist.commands.jobs.api import JobResult

EPILOG = """Examples:

  pointillist jobs sample digits -n 5000 --tasks 20 --workers 2 --out many

  pointillist jobs evaluate digits photos/ --tasks 8 --out scores

  pointillist jobs inpaint digits cut/ --region 14:,: --tasks 8 --out filled

  pointillist jobs status many

  pointillist jobs merge many --out many.npz"""

_JOB = "Job"
_METAVARS: tuple[tuple[type, str], ...] = ((bool, FLAG), (int, "N"), (float, "X"), (str, "VALUE"))
_EXECUTORS = "local, torchrun (under torchrun), or ray (extra ray)."


class JobCommands(TyperGroup):
    """A command for each kind of job, and those that read a job; each is built on demand."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names."""
        from pointillist.commands.jobs.registry import job_names

        return [*job_names(), *_READERS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command called `cmd_name`, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name not in self.commands:
            single = typer.Typer(add_completion=False, rich_markup_mode="rich")
            single.command(cmd_name)(_READERS.get(cmd_name) or _command(cmd_name))
            self.commands[cmd_name] = get_command(single)
        return self.commands[cmd_name]


app = typer.Typer(
    name="jobs", cls=JobCommands, add_completion=False, rich_markup_mode="rich", no_args_is_help=True, epilog=EPILOG
)


@app.callback()
def jobs() -> None:
    """Run large work in tasks, on several processes and machines.

    A job is a folder with a part for each task. The same command again runs
    only what is missing. Its results do not depend on tasks, processes or
    interruptions.
    """


def _command(name: str) -> Callable[..., None]:
    """Make the command of a kind of job from its settings."""
    from pointillist.commands.jobs.registry import job_kind

    kind = job_kind(name)
    settings = {
        key: _parameter(key, field, kind.Settings.positional) for key, field in kind.Settings.model_fields.items()
    }
    shared = list(inspect.signature(_shared, eval_str=True).parameters.values())
    required = [p for p in settings.values() if p.default is inspect.Parameter.empty]
    others = [p for p in settings.values() if p.default is not inspect.Parameter.empty]
    order = sorted(required, key=lambda p: (*kind.Settings.positional, p.name).index(p.name))
    parameters = [*order, *shared, *others]

    def command(**values: Any) -> None:
        own = {key: values.pop(key) for key in settings}
        _run(name, own, **values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = f"{(kind.__doc__ or '').partition(';')[0]}, in tasks."
    return command


def _parameter(name: str, field: FieldInfo, positional: tuple[str, ...]) -> inspect.Parameter:
    """Make an argument or an option of a setting."""
    flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
    metavar = next((shown for kind, shown in _METAVARS if field.annotation in (kind, kind | None)), "VALUE")
    if name in positional:
        info: Any = typer.Argument(metavar=name.upper(), help=field.description, show_default=False)
    elif field.annotation is bool and field.default:
        info = typer.Option(f"{flag}/--no-{flag[2:]}", metavar=FLAG, help=field.description)
    else:
        info = typer.Option(flag, metavar=metavar, help=field.description)
    default = inspect.Parameter.empty if field.is_required() else field.default
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[field.annotation, info]
    )


def _shared(
    *,
    tasks: Annotated[
        int, typer.Option(metavar="N", help="Parts of the work, a few for each process.", rich_help_panel=_JOB)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the job.", rich_help_panel=_JOB)],
    executor: Annotated[str, typer.Option(metavar="NAME", help=_EXECUTORS, rich_help_panel=_JOB)] = "local",
    workers: Annotated[
        int, typer.Option(metavar="N", help="Processes of local, actors of ray.", rich_help_panel=_JOB)
    ] = 1,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds an item may take before it is rejected.", rich_help_panel=_JOB),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", metavar=FLAG, help="Print the result as JSON.", rich_help_panel=_JOB)
    ] = False,
) -> None:
    """Options of every kind of job."""


def _run(name: str, settings: dict[str, Any], *, tasks: int, as_json: bool, **options: Any) -> None:
    from pointillist.commands.jobs.api import run

    started = time.perf_counter()
    with Bar("tasks", tasks) as bar:
        result = run(name, tasks=tasks, on_progress=bar.follow, **options, **settings)
    _report(result, time.perf_counter() - started, as_json)


def _report(result: JobResult, seconds: float, as_json: bool) -> None:
    state = result.status
    if as_json:
        print_json({**_state_facts(result.out), "rejected_items": list(result.rejected), "seconds": round(seconds, 3)})
        return
    lines = [
        ("job", f"{state.job}, {counted(state.count, 'item')} in {counted(state.tasks, 'task')}"),
        ("finished", f"{state.finished} of {counted(state.tasks, 'task')}, in {seconds:.1f} s"),
    ]
    if state.rejected:
        lines.append(("rejected", f"{state.rejected:,}, see {result.out / 'rejected.jsonl'}"))
    lines.append(("written", str(result.out)))
    print_facts(lines)
    if state.is_finished:
        typer.echo(f"\nMerge it with: pointillist jobs merge {result.out} --out PATH")


Folder = Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="Folder of a job.")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print JSON.")]


def _status(folder: Folder, as_json: Json = False) -> None:
    """Show which tasks of a job are finished."""
    facts = _state_facts(folder)
    if as_json:
        print_json(facts)
        return
    pending = facts["pending"]
    shown = ", ".join(map(str, pending[:20])) + (", ..." if len(pending) > 20 else "")
    print_facts([
        ("job", f"{facts['job']}, {counted(facts['count'], 'item')}"),
        ("finished", f"{facts['finished']} of {counted(facts['tasks'], 'task')}"),
        ("pending", shown or "none"),
        ("rejected", f"{facts['rejected']:,}"),
    ])  # fmt: skip


def _state_facts(folder: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from pointillist.commands.jobs.state import status

    return {"out": str(folder), **asdict(status(folder))}


def _merge(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PATH", help="NAME.npz, or NAME.csv of likelihoods.")],
    force: Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace existing files.")] = False,
    as_json: Json = False,
) -> None:
    """Write the result of a finished job, in the format of the plain command."""
    from pointillist.commands.jobs.merging import merge

    facts = [*merge(folder, out, force=force), ("written", str(out))]
    if as_json:
        print_json(dict(facts))
    else:
        print_facts(facts)


_READERS: dict[str, Callable[..., None]] = {"status": _status, "merge": _merge}
