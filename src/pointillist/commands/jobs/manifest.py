"""The manifest of a job: all that its results depend on. Another command in the same folder is rejected by it."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from pointillist import system
from pointillist.commands.jobs.folder import MANIFEST, JobFolder
from pointillist.commands.jobs.settings import JobSpec
from pointillist.commands.jobs.work import Work
from pointillist.commands.settings import Settings, to_dict
from pointillist.errors import ConfigError, quote
from pointillist.files.writing import write_text
from pointillist.system import __version__

FORMAT_VERSION = 1
_PLACES = ("model", "data", "image", "files", "mask", "texts", "hint")
"""Settings that say where something is: what is there is compared by its fingerprint, so it may move."""


def check_or_write_manifest(folder: JobFolder, spec: JobSpec, settings: Settings, work: Work) -> dict[str, Any]:
    """Write the manifest of a new job, or compare this command with it.

    Raises:
        ConfigError: naming the first difference.
    """
    wanted: dict[str, Any] = {
        "format": "pointillist job",
        "format_version": FORMAT_VERSION,
        "job": spec.job,
        "settings": to_dict(settings),
        "tasks": spec.tasks,
        "threads": spec.threads,
        "count": work.count,
        "facts": dict(work.facts),
        "skipped": dict(work.skipped),
        "machine": machine(getattr(settings, "device", "cpu"), needs_torch=work.needs_torch),
    }
    wanted = dict(json.loads(json.dumps(wanted)))
    result = folder.manifest()
    if result is None:
        if folder.path.exists() and any(not p.name.startswith(".") for p in folder.path.iterdir()):
            raise ConfigError(f"{folder.path} holds other files and no job: give a new folder.")
        result = _write_first(folder, json.dumps(wanted, indent=2) + "\n") or wanted
    difference = _difference(result, wanted)
    if difference is not None:
        name, old, new = difference
        raise ConfigError(
            f"{folder.path} is a job with `{name}` {quote(old)}, now {quote(new)}: give the same command, or another "
            "folder."
        )
    return result


def _write_first(folder: JobFolder, text: str) -> dict[str, Any] | None:
    """Write the manifest, unless another process has done so; return that one then."""
    temporary = folder.path / f".{MANIFEST}.{os.getpid()}"
    write_text(temporary, text)
    try:
        os.link(temporary, folder.path / MANIFEST)
    except FileExistsError:
        return folder.manifest()
    except OSError:  # a disk without hard links
        write_text(folder.path / MANIFEST, text)
    finally:
        temporary.unlink(missing_ok=True)
    return None


def machine(device: str, *, needs_torch: bool) -> dict[str, str]:
    """Describe what rounding depends on apart from the settings: versions, and the instructions of the processor."""
    result = {"pointillist": __version__, "numpy": np.__version__, "processor": system.processor()}
    if not needs_torch:
        return result
    import torch

    on_gpu = device != "cpu" and torch.cuda.is_available()
    unit = torch.cuda.get_device_name() if on_gpu else torch.backends.cpu.get_cpu_capability()
    return {**result, "torch": torch.__version__, "unit": unit}


def _difference(actual: dict[str, Any], wanted: dict[str, Any]) -> tuple[str, Any, Any] | None:
    """Return the name and both values of the first difference; None if there is none."""
    for name, new in wanted.items():
        old = actual.get(name)
        if isinstance(new, dict) and isinstance(old, dict) and name != "skipped":
            places = _PLACES if name == "settings" else ()
            for key in new.keys() | old.keys():
                if key not in places and old.get(key) != new.get(key):
                    inner = old.get(key), new.get(key)
                    return key, *inner
        elif old != new:
            return name, old, new
    return None
