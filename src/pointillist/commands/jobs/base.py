"""A kind of job: its settings, its items, the work on a batch of them, and the merged result; and all kinds by name."""

from __future__ import annotations

import hashlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pointillist.commands.jobs import kinds
from pointillist.commands.paths import open_scored_model
from pointillist.commands.settings import DEVICE, MODEL, Settings, sampling_option
from pointillist.errors import check_name

if TYPE_CHECKING:
    import numpy as np

    from pointillist.commands.jobs.folder import Parts
    from pointillist.images import ImageSpec
    from pointillist.model.protocols import LikelihoodModel


Arrays = dict[str, "np.ndarray"]
"""Results of some items: arrays whose first axis counts them."""


@dataclass(frozen=True, kw_only=True)
class JobSettings(Settings):
    """Settings of a job, which are written to its manifest; each is an option of the command.

    The settings of a kind are the options of the command that does the same to a few items, without its outputs:

    ```python
    class EvaluateJobSettings(JobSettings, EvaluateSettings): ...
    ```

    Attributes:
        model: a model folder, a bundled name, or `hf:USER/MODEL`; every process loads it.
        batch_size: items that are computed at once. Batches are fixed, so tasks and workers do not change a bit.
        device, threads: of each process. Another number of threads may round differently.
    """

    model: str = MODEL.field()
    batch_size: Any = sampling_option(64, "N", "Items computed at once.", low=1)
    device: str = DEVICE.field("cpu")
    threads: Any = sampling_option(1, "N", "Threads of each process.", low=1)


class JobKind(ABC):
    """The work of one kind of job in one process. A new kind is one file in `commands/jobs/kinds`; see `registry`.

    Attributes:
        Settings: class of the settings.
        count: number of items, which are numbered from 0.
        facts: what results depend on apart from the settings, and what merging needs; JSON, equal in every process.
        skipped: why each item that could not be read was left out before the items were numbered, by name.
        item_bytes: memory that the results of an item take until its task is finished.
        needs_torch: False if torch takes no part in the results; it is then not loaded.

    Raises:
        PointillistError: if the model or the items cannot be opened.
    """

    Settings: ClassVar[type[JobSettings]]
    count: int
    facts: dict[str, Any]
    skipped: Mapping[str, str]
    item_bytes: int = 64
    needs_torch: bool = True

    @abstractmethod
    def __init__(self, settings: Any) -> None:
        """Open the model and the items."""

    @abstractmethod
    def compute(self, start: int, stop: int) -> Arrays:
        """Compute the items `start .. stop`, as one batch.

        Raises:
            Exception: if an item cannot be computed; the items are then computed one by one.
        """

    def name(self, item: int) -> str | None:
        """Return the file of an item; None where it has none."""
        return None

    @abstractmethod
    def warm_up(self) -> None:
        """Compile what the first item would have to wait for, before an item's time is limited."""

    @staticmethod
    @abstractmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> dict[str, Any]:
        """Write the result of a finished job in the format of the plain command, part by part.

        Args:
            manifest: the manifest of the job.
            parts: results of the tasks, in order.
            out: the file to write.

        Returns:
            Facts of a report, by name.
        """


def open_job_model(settings: JobSettings) -> LikelihoodModel:
    """Load the model of a job on its device, and limit torch to the threads of a process.

    Raises:
        CheckpointError, ConfigError: if it cannot be loaded.
    """
    engine = getattr(settings, "engine", "auto")
    from pointillist.model.folder.portable import PortableModel

    model = open_scored_model(settings.model, settings.device, engine)
    if not isinstance(model, PortableModel):
        import torch

        torch.set_num_threads(settings.threads)
    return model


def model_facts(model: LikelihoodModel) -> dict[str, Any]:
    """Return the fingerprint, the kind of image and the classes of a model, for a manifest."""
    return describe_model(model.fingerprint, model.image, model.classes)


def describe_model(fingerprint: str, image: ImageSpec, classes: Sequence[str]) -> dict[str, Any]:
    """Return what a manifest says of a model."""
    return {"fingerprint": fingerprint, "image": image.model_dump(mode="json"), "classes": list(classes)}


def files_digest(files: Sequence[Path]) -> str:
    """Compute the SHA-256 of the content of files."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)};".encode() + content)
    return digest.hexdigest()


def job_names() -> list[str]:
    """List the names of all kinds of jobs.

    ```python
    job_names()  # ["evaluate", "inpaint", "sample"]
    ```
    """
    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def job_kind(name: str) -> type[JobKind]:
    """Look up a kind of job by name; neither torch nor a model is loaded.

    Raises:
        ConfigError: if there is no such kind.
    """
    check_name("Unknown `job`", name, job_names())
    result: type[JobKind] = import_module(f"{kinds.__name__}.{name}").KIND
    return result
