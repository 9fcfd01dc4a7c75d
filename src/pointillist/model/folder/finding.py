"""Find the folder of a model by bundled name, path or hub id. Needs no torch."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from pointillist.errors import CheckpointError, MissingExtraError, quote
from pointillist.files.checkpoint.header import CARD, CONFIG, GENERATION, TILESET, WEIGHTS
from pointillist.files.hub import offline_if_unreachable
from pointillist.model.folder.generation import PROMPTS
from pointillist.portable.storage import PROGRAM, PROGRAM_TENSORS
from pointillist.zoo import ZOO, list_pretrained, resolve

HUB_KEYWORDS = ("revision", "token", "cache_dir", "force_download", "local_files_only")
"""Keywords of `load` for the download from the hub."""
HUB = "hf:"
"""Begin of a hub id. A path never asks the hub: a mistyped one would wait for it, or find a stranger's model."""

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def find_model(source: str, hub: dict[str, Any]) -> Path:
    """Find the folder of a model; fetch it from the hub if its name begins with `hf:`.

    Raises:
        CheckpointError: if it is not there.
    """
    result = resolve(source)
    if result is not None:
        return result
    name = source.removeprefix(HUB)
    if name == source or not _HUB_ID.fullmatch(name):
        known = ", ".join(model.name for model in list_pretrained()) or "none in this release"
        raise CheckpointError(
            f"There is no model {quote(source)}{_nearest(source)}: give a folder, a bundled name ({known}), or "
            "`hf:user/model` for one of the hub."
        )
    try:
        from huggingface_hub import snapshot_download  # takes 0.1 s, which a local model need not wait
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"The hub, which {source} names,", "train") from error

    try:
        patterns = [CONFIG, WEIGHTS, CARD, GENERATION, PROMPTS, TILESET, PROGRAM, PROGRAM_TENSORS]
        with offline_if_unreachable():
            return Path(snapshot_download(name, allow_patterns=patterns, **hub))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{source!r} could not be fetched from the hub ({reason}): check name and network."
        ) from error


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), [model.name for model in list_pretrained()], n=1, cutoff=0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""


def own_folder(source: str) -> Path | None:
    """Return the folder of a model of the user; None for a pretrained model and one of the hub.

    Args:
        source: what `pointillist.load` takes.
    """
    result = resolve(source)
    return None if result is None or result.resolve().is_relative_to(ZOO.resolve()) else result
