"""Models that commands open, and paths of outputs: rejected where something is, or the next free name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.errors import ConfigError
from pointillist.files.batch_output import output_lock
from pointillist.files.writing import LOCK, is_stream

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel
    from pointillist.model.protocols import LikelihoodModel


def reject_existing(path: Path, force: bool, ending: str = "") -> None:
    """Reject a path that exists, unless `force` is set; a device and a named pipe are written to, not replaced.

    Args:
        path: the file to write.
        force: whether it may be replaced.
        ending: of its format; empty for any.

    Raises:
        ConfigError: naming `--force`, or the ending.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give the name of a file.")
    if not is_stream(path) and not path.name.lower().endswith(ending):
        raise ConfigError(f"{path} must end in {ending}: the output is such a file.")
    if path.exists() and not is_stream(path) and not force:
        raise ConfigError(f"{path} is already there: add `--force` to replace it, or give another path.")


def reject_filled(folder: Path, force: bool, contents: str) -> None:
    """Reject a folder that holds more than a lock, unless `force` is set.

    Args:
        folder: the folder to write.
        force: whether its files may be replaced.
        contents: what would be replaced, for the message.

    Raises:
        ConfigError: naming `--force`.
    """
    filled = folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir()))
    if filled and not force:
        raise ConfigError(f"{folder} is already there: add `--force` to replace {contents}, or give another path.")


@contextmanager
def fresh_output(path: Path, force: bool) -> Iterator[Path]:
    """Yield a path that does not exist, locked: itself, or `samples-2.png`, `samples-3.png` and so on.

    Commands that run at the same time take one each. With `force` it is the path itself, which is replaced.

    Raises:
        ConfigError: with `force`, if another process writes the path.
    """
    for number in count(1):
        result = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        if result.exists() and not force:
            continue
        with ExitStack() as stack:
            try:
                stack.enter_context(output_lock(result))
            except ConfigError:
                if force:
                    raise
                continue
            if force or not result.exists():  # another command may have finished in between
                yield result
                return


def open_scored_model(name: str, device: str, engine: str, size: tuple[int, int] | None = None) -> LikelihoodModel:
    """Open a model to sample, score or complete images: by its stored program if that suffices, else with torch.

    Raises:
        CheckpointError, ConfigError, MissingExtraError: if it cannot be opened, or a setting is wrong.
    """
    from pointillist.model.folder.opening import open_program
    from pointillist.model.folder.settings import find_model

    # a program runs on the processor, where it was measured
    if device in ("auto", "cpu"):
        program = open_program(find_model(name, {}), engine, size)
        if program is not None:
            return program
    return open_model(name, device)


def open_model(name: str, device: str) -> PixelModel:
    """Load a model, and move it to a device.

    Raises:
        CheckpointError, ConfigError: if it cannot be loaded, or a setting is wrong.
    """
    from pointillist.model.folder.opening import load_weights
    from pointillist.system import resolve_device

    return load_weights(name).to(resolve_device(device))
