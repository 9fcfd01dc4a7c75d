"""Complete many pictures, each an item by itself; a picture that cannot be read is rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings, files_digest, model_facts, open_job_model
from pointillist.commands.sampling.settings import SEED, InpaintSettings
from pointillist.commands.settings import argument

if TYPE_CHECKING:
    import numpy as np

    from pointillist.commands.jobs.folder import Parts


@dataclass(frozen=True, kw_only=True)
class InpaintJobSettings(JobSettings, InpaintSettings):
    """Settings of a job that completes pictures: the options of `pointillist inpaint`, for a folder.

    Attributes:
        images: a folder of pictures in the model's size; each is one item.
        seed: completions depend on the seed and on the number of the picture.
    """

    left_out: ClassVar[frozenset[str]] = frozenset(
        {
            *("image", "data", "size", "vary", "pattern", "canvas", "at", "seamless", "condition", "rules"),
            *("out", "form", "maps", "animate", "force", "as_json"),
        }
    )

    images: str = argument("IMAGES", "A folder of pictures in the model's size.")
    seed: int = SEED.field(0)


class InpaintJob(JobKind):
    """Complete each picture of a folder; see `pointillist.inpaint`."""

    count: int
    skipped: dict[str, str]

    Settings: ClassVar[type[InpaintJobSettings]] = InpaintJobSettings

    def __init__(self, settings: InpaintJobSettings) -> None:
        from pointillist.data.readers.image_folder import list_pictures

        self._settings, self._model = settings, open_job_model(settings)
        self._folder = Path(settings.images)
        self._files = list_pictures(self._folder)
        self.count, self.skipped = len(self._files), {}
        if not settings.transparent:  # the same for all pictures: what is wrong with it ends the job before it begins
            self._known(self._files[0], (self._model.image.height, self._model.image.width))
        masks = [] if settings.mask is None else [settings.mask]
        self.facts: dict[str, Any] = {"model": model_facts(self._model), "images": files_digest([*self._files, *masks])}

    def compute(self, start: int, stop: int) -> Arrays:
        """Complete each picture of a batch by itself."""
        import numpy as np

        result = [self._complete(item) for item in range(start, stop)]
        return {name: np.stack([arrays[name] for arrays in result]) for name in result[0]}

    def _complete(self, item: int) -> Arrays:
        import numpy as np

        from pointillist.commands.sampling.inpaint import keywords
        from pointillist.completion.api import inpaint
        from pointillist.data.readers.picture_files import read_picture
        from pointillist.errors import ShapeError
        from pointillist.model.batches import describe_image

        settings, image = self._settings, self._model.image
        picture = read_picture(self._files[item], self.name(item))
        if (picture.height, picture.width) != (image.height, image.width):
            raise ShapeError(
                f"{self.name(item)} is {picture.height}x{picture.width}, and the images of the model are "
                f"{image.height}x{image.width}: resize it."
            )
        read = describe_image(self._model, picture)
        x = read.levels
        known = self._known(self._files[item], (x.shape[2], x.shape[3]))
        seed = int(np.random.SeedSequence([settings.seed, item]).generate_state(1, np.uint32)[0])
        result = inpaint(self._model, x, known, seed=seed, **keywords(settings))
        dtype = np.uint8 if result.image.levels <= 256 else np.uint16
        return {
            "levels": result.levels.astype(dtype),
            "nats": result.nats,
            "log_weights": result.log_weights,
            "known": result.known,
            "path": np.array(self.name(item)),
            "requantised": np.array(read.picture is not None),
        }

    def _known(self, picture: Path, size: tuple[int, int]) -> np.ndarray:
        from pointillist.completion.hole import parse_known
        from pointillist.errors import ConfigError, DataError

        settings = self._settings
        try:
            return parse_known(picture, settings.mask, settings.region, settings.transparent, size)
        except ConfigError as error:
            if settings.transparent:  # the fault of this picture; a mask or a region is the same for all
                raise DataError(str(error)) from error
            raise

    def name(self, item: int) -> str:
        """Return the file of a picture, relative to the folder."""
        return self._files[item].relative_to(self._folder).as_posix()

    def warm_up(self) -> None:
        """Sample an image without conditions: the engine compiles."""
        from pointillist.sampling.api import sample

        sample(self._model, 1, seed=0, engine=self._settings.engine, threads=self._settings.threads)

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> dict[str, Any]:
        """Write all completions of `m` pictures, the most probable one of each first.

        The archive holds `levels [m n c h w]`, `nats [m n]`, `log_weights [m n]`, `known [m c h w]` and `path [m]`.
        """
        import numpy as np

        from pointillist.commands.jobs.state import check_suffix
        from pointillist.commands.sampling.archive import write_arrays

        check_suffix(out, ".npz")
        result = list(parts)
        arrays = {name: np.concatenate([part[name] for part in result]) for name in result[0] if name != "item"}
        changed = int(arrays.pop("requantised").sum())
        write_arrays(out, arrays)
        facts = {"pictures": len(arrays["nats"]), "completions": arrays["nats"].size}
        return {**facts, "brought_to_levels_of_the_model": changed or None}


KIND = InpaintJob
