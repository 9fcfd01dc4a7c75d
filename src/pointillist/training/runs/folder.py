"""The folder of a run: a new one holds neither a run nor a model; a run that fails at once leaves none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pointillist.errors import ConfigError
from pointillist.files.writing import write_text
from pointillist.system import is_main_process
from pointillist.training.runs.config import RUN_FILE, RunConfig
from pointillist.training.state import run_lock


def check_new_folder(out: Path) -> None:
    """Check that a folder holds neither a run nor a model.

    Raises:
        ConfigError: naming the remedies.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"`out` (={out}) is a file: give the name of a folder.")
    if (out / "state").exists():
        raise ConfigError(f"{out} already holds a run: add `resume` to continue it, or choose another `out`.")
    if (out / "config.json").exists():
        raise ConfigError(f"{out} already holds a model: choose another `out`, or fine-tune it with `init_from={out}`.")


@contextmanager
def run_folder(run: RunConfig, header: str, resume: bool) -> Iterator[None]:
    """Make the folder of a run with its `run.toml`; a run that fails before its first checkpoint leaves no folder.

    Args:
        header: comment at the top of `run.toml`.
    """
    out = run.train.out
    if out is None or not is_main_process():
        yield
        return
    made = [p for p in (out, *out.parents) if not p.exists()]
    try:
        with run_lock(out):
            if not resume:
                check_new_folder(out)  # again: another process may have made a run since
            write_text(out / RUN_FILE, run.to_toml(header))
            try:
                yield
            except BaseException:
                if not resume and not (out / "state").exists():
                    (out / RUN_FILE).unlink(missing_ok=True)
                raise
    except BaseException:
        with suppress(OSError):  # the first that is not empty ends it
            for folder in made:
                folder.rmdir()
        raise
