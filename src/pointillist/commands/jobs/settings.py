"""Settings of every job and of the commands that read one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from pointillist.commands.archives import CompressSettings
from pointillist.commands.measurement.settings import DetectSettings, EvaluateSettings
from pointillist.commands.sampling.settings import InpaintSettings, SampleSettings
from pointillist.commands.settings import (
    FORCE,
    JSON,
    PRINT_JSON,
    REQUIRED,
    Argument,
    Panel,
    Settings,
    option,
    settings_of,
)
from pointillist.errors import ConfigError, check_name, format_validation_error

JOBS: dict[str, type[Settings]] = {
    "compress": CompressSettings,
    "detect": DetectSettings,
    "evaluate": EvaluateSettings,
    "inpaint": InpaintSettings,
    "sample": SampleSettings,
}
"""Settings of the commands that can be a job; `Settings.module` has the functions `job` and `merge` of each."""
_JOB = Panel("Job")
_FOLDER = Argument("DIR", "Folder of a job.")


@dataclass(frozen=True, kw_only=True)
class RunSettings(Settings):
    """Settings of every job; see `run`."""

    tasks: int = _JOB.option(REQUIRED, "N", "Parts of the work, a few for each process.")
    out: Path = _JOB.option(REQUIRED, "DIR", "Folder of the job.", flags=("--out", "-o"))
    executor: str = _JOB.option("local", "NAME", "local, torchrun (under torchrun), or ray (extra ray).")
    workers: int = _JOB.option(1, "N", "Processes of local, actors of ray.")
    threads: Any = _JOB.sampling_option(1, "N", "Threads of each process; another number may round differently.", low=1)
    time_limit: float | None = _JOB.option(None, "S", "Seconds an item may take before it is rejected.")
    as_json: bool = replace(JSON, panel=_JOB).field(False)


@dataclass(frozen=True, kw_only=True)
class StatusSettings(Settings):
    """Settings of `jobs status`."""

    folder: Path = _FOLDER.field()
    as_json: bool = PRINT_JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class MergeSettings(Settings):
    """Settings of `jobs merge`."""

    folder: Path = _FOLDER.field()
    out: Path = option(REQUIRED, "PATH", "NAME.npz, or NAME.csv of likelihoods.", flags=("--out", "-o"))
    force: bool = FORCE.field(False)
    as_json: bool = PRINT_JSON.field(False)


def job_settings(job: str, values: Mapping[str, object], threads: int = 1) -> Settings:
    """Check the settings of a job: their names, types and limits.

    Args:
        job: the command.
        values: its settings by name; without a seed it is 0, because results must not depend on the process.
        threads: of the process.

    Raises:
        ConfigError: naming the command, or the setting that is unknown or wrong.
    """
    from pydantic import ConfigDict, Field, ValidationError, create_model

    check_name("Unknown `job`", job, JOBS)
    config, fields = JOBS[job], dict[str, Any]()
    checks = ConfigDict(extra="forbid", protected_namespaces=())
    for setting in settings_of(config, job=True):
        default = ... if setting.default is REQUIRED else setting.default
        fields[setting.name] = (setting.type, Field(default, ge=setting.option.low, le=setting.option.high))
    try:
        checked = create_model(config.__name__, __config__=checks, **fields)(**values)
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, f"a setting of the job {job}")) from error
    typed = {name: getattr(checked, name) for name in fields}
    if "seed" in typed:
        typed["seed"] = typed["seed"] or 0
    others = {setting.name: setting for setting in settings_of(config) if setting.name not in typed}
    typed |= {name: "" for name, setting in others.items() if setting.default is REQUIRED}
    return config(**typed, **({"threads": threads} if "threads" in others else {}))


def functions_of(job: str) -> Any:
    """Import the module of a command with its functions `job` and `merge`."""
    return import_module(f"pointillist.commands.{JOBS[job].module}")
