"""Manifests: record everything that determines sampled images, sample them again, and compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from pointillist.data.pixels import BROKEN, open_picture
from pointillist.errors import DataError, format_validation_error
from pointillist.files.reading import check_file
from pointillist.images.visualization import image_grid, save_png
from pointillist.model.protocols import LikelihoodModel
from pointillist.studio import schemas
from pointillist.studio.answers.fill import make_fill
from pointillist.studio.job_queue import Work
from pointillist.studio.jobs import LoadedModel, current_environment, make_job
from pointillist.studio.sampling import finish_job

MAX_BYTES = 64 * 2**20
_MAX_PIXELS = 4096 * 4096
MANIFEST = "pointillist-manifest"
"""Keyword of the text of a PNG file that is its manifest."""


def read_manifest(path: str | Path) -> schemas.SampleManifest:
    """Read a manifest from a file: JSON, or a PNG that carries it.

    Raises:
        DataError: if it is not a manifest.
    """
    path = Path(path)
    check_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,} of a manifest.")
    try:
        return schemas.SampleManifest.model_validate_json(_png_text(path) or path.read_bytes())
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise DataError(f"{path} is not JSON: give a manifest, or a PNG, that the studio saved.") from error
        raise DataError(f"{path} is not a manifest: {format_validation_error(error, 'a manifest')}") from error


def _png_text(path: Path) -> str | None:
    """Return the manifest in a PNG file; None if the file is not a PNG.

    Raises:
        DataError: if the PNG carries none.
    """
    data = path.read_bytes()
    if not data.startswith(b"\x89PNG"):
        return None
    try:
        with open_picture(data, str(path), ("PNG",), _MAX_PIXELS) as image:
            image.load()
            text = image.info.get(MANIFEST)
    except BROKEN as error:
        raise DataError(f"{path} is not a readable PNG ({error}).") from error
    if not isinstance(text, str):
        raise DataError(f"{path} carries no manifest: choose a PNG that the studio saved.")
    return text


def reproduce(
    model: LikelihoodModel,
    sha256: str,
    manifest: schemas.SampleManifest,
    limits: schemas.Limits,
    check: Callable[[], None] = lambda: None,
    threads: int | None = None,
) -> schemas.ReproduceResult:
    """Sample the images of a manifest again, and compare.

    Args:
        model: the model to sample from.
        sha256: hash of the model.
        manifest: the images to reproduce.
        limits: limits of the job.
        check: called after every row; an exception that it raises ends the work.
        threads: number of threads that share the samples.

    Raises:
        RequestError, ConfigError, ShapeError, DataError, EngineError: as `make_job` and `run_job`.
    """
    loaded = LoadedModel(model, manifest.model.model_copy(update={"sha256": sha256}))
    result = work_of_manifest(loaded, manifest, limits)(lambda _: None, check, threads)
    return compare(sha256, manifest, result.images)


def work_of_manifest(loaded: LoadedModel, manifest: schemas.SampleManifest, limits: schemas.Limits) -> Work:
    """Check a manifest, and return the work that samples or fills its images again.

    Raises:
        DataError: if the manifest is inconsistent; others as `make_job`.
    """
    request = manifest.request
    if len(manifest.sha256) != manifest.count:
        raise DataError(
            f"The manifest has {len(manifest.sha256)} hashes for {manifest.count} samples: keep one hash for each."
        )
    seeds = [request.seed] if isinstance(request, schemas.FillRequest) else [spec.seed for spec in request.samples]
    if None in seeds:
        raise DataError("The manifest has an image without a seed, so it cannot be reproduced.")
    if isinstance(request, schemas.FillRequest):
        return make_fill(loaded, request, limits)
    return partial(finish_job, make_job(loaded, request, limits))


def compare(
    sha256: str, manifest: schemas.SampleManifest, images: list[schemas.SampledImage]
) -> schemas.ReproduceResult:
    """Compare sampled images with a manifest; `sha256` is the hash of the model that sampled them."""
    same_model = sha256 == manifest.model.sha256
    pairs = zip(images, manifest.sha256, strict=True)
    # equal pixels of another model, such as images that are all of one colour, reproduce nothing
    identical = [same_model and image.sha256 == expected for image, expected in pairs]
    same_environment = current_environment() == manifest.environment
    return schemas.ReproduceResult(
        identical=identical,
        same_model=same_model,
        same_environment=same_environment,
        message=_verdict(identical, same_model, same_environment),
        images=images,
    )


def _verdict(identical: list[bool], same_model: bool, same_environment: bool) -> str:
    if not same_model:
        return "Not reproduced: the model is not the model of the manifest."
    count, equal = len(identical), sum(identical)
    if equal == count:
        return "Identical to the bit." if count == 1 else f"All {count} images are identical to the bit."
    which = "The image differs" if count == 1 else f"{count - equal} of {count} images differ"
    if not same_environment:
        return f"{which}: the manifest comes from another processor or other versions, which round differently."
    return f"{which}, although model, processor and versions agree with the manifest: it was edited by hand."


def write_images(model: LikelihoodModel, reproduced: schemas.ReproduceResult, out: Path) -> None:
    """Write one image as it is, several as a sheet."""
    levels = np.stack([image.levels.array() for image in reproduced.images]).astype(np.int64)
    save_png(model.image.to_files(levels)[0] if len(levels) == 1 else image_grid(model.image.to_images(levels)), out)
