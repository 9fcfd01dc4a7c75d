"""Open a model by name or folder: its stored integer program where that suffices, else its weights, with torch.

The models that can be built are listed here, too. Models of the package are measured once (`tools/make_listing.py`), so
that listing them does not wait for torch.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from pointillist.conditioning.registry import condition_kinds
from pointillist.errors import CheckpointError, ConfigError, EngineError, MissingExtraError, not_a_model, quote
from pointillist.files.arrays import CONFIG, WEIGHTS, count_weights, read_config
from pointillist.files.reading import ReadOnce
from pointillist.files.suggestions import check_keywords
from pointillist.images import ImageSpec
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.folder.settings import HUB_KEYWORDS, find_model, read_tileset
from pointillist.model.portable.conditions import StoredConditions
from pointillist.model.portable.files import has_program, load_integer_model
from pointillist.model.portable.model import ProgramModel
from pointillist.model.protocols import LikelihoodModel, has_likelihood
from pointillist.model.training_record import TrainingRecord
from pointillist.zoo import resolve

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel

LISTING = Path(__file__).with_name("listing.json")


def open_folder(folder: Path) -> ProgramModel:
    """Open the integer programs of a model folder; the same model while its files have not changed.

    Raises:
        CheckpointError: if it holds no integer program, or is damaged.
    """
    return _open(folder)


def _read(folder: Path) -> ProgramModel:
    """Read a model folder; see `open_folder`."""
    program, config = load_integer_model(folder), read_config(folder)
    try:
        generation = GenerationConfig.read(folder)
        image = generation.shown(ImageSpec(**config["image"]))
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / CONFIG} describes no images: copy the whole folder again.") from error
    if (image.shape, image.levels) != (program.image.shape, program.image.levels):
        raise CheckpointError(
            f"{folder / CONFIG} and the integer program next to it do not belong together: copy both."
        )
    record, cost = TrainingRecord.read(config.get("training", {}), folder / CONFIG)
    weights, known = folder / WEIGHTS, condition_kinds()
    try:
        settings = {kind: known[kind](**values) for kind, values in config["conditions"].items() if kind in known}
        model_type = str(config["model_type"])
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} describes no model ({error}): copy the whole folder again."
        ) from error
    return replace(
        program,
        image=image,
        conditions=StoredConditions(program.parts[0], image),
        integer_cost=cost,
        training_record=record,
        generation_config=generation,
        measured_prompts=MeasuredPrompts.read(folder),
        tileset=read_tileset(folder, image.levels),
        model_type=model_type,
        weights=count_weights(weights) if weights.is_file() else 0,
        condition_settings=settings,
        folder=folder,
    )


_open = ReadOnce(_read)


def open_program(folder: Path, engine: str = "auto", size: tuple[int, int] | None = None) -> ProgramModel | None:
    """Open the integer program of a model folder if it gives what `engine` asks for; None if it does not.

    It does where a program is stored that reads all conditions of the model, unless its measured cost makes floating
    point the default.

    Args:
        engine: as given; `auto` and `integer` permit it.
        size: height and width of the images; None for the model's own.
    """
    if engine not in ("auto", "integer") or not has_program(folder):
        return None
    model = open_folder(folder)
    if engine == "auto" and model.integer_cost is not None and not model.integer_cost.is_default:
        return None
    return model if model.reads_all_conditions and model.has_size(size) else None


def open_any_program(model: Any) -> ProgramModel:
    """Open the stored program of a bundled model or a folder, or take the program of an open model.

    Raises:
        EngineError: if there is no program.

    Example:
        open_any_program("digits").image
    """
    if isinstance(model, (str, Path)):
        folder = resolve(str(model))
        if folder is not None and has_program(folder):
            return open_folder(folder)
        model = load_weights(model)
    if not has_likelihood(model):
        raise not_a_model(model)
    return cast("ProgramModel", model.scorer("integer"))


def open_scored(model: Any, engine: str = "auto", size: tuple[int, int] | None = None) -> LikelihoodModel:
    """Open a model that images are sampled from, scored by or completed with, or return an open one.

    Args:
        model: a model; or a bundled name, a folder, or `hf:user/model`.
        engine: see `open_program`.
        size: height and width of the images; None for the model's own.

    Raises:
        EngineError: if `engine` is not a name.
        ConfigError: for anything that is not a model with a likelihood.
        CheckpointError: if there is no such model, or it is damaged.
        MissingExtraError: if it has to be opened with torch, which is not installed.

    Example:
        open_scored("digits").image
    """
    if not isinstance(engine, str):
        raise EngineError(f"`engine` (={quote(engine)}) must be a name, such as auto.")
    if isinstance(model, (str, Path)):
        return open_program(find_model(str(model), {}), engine, size) or load_weights(model)
    if not has_likelihood(model):
        raise not_a_model(model)
    return model


def load(source: str | Path, **hub: Any) -> PixelModel:
    """Load a trained model, in evaluation mode.

    Without torch the model is opened by its stored integer program. Such a model samples, scores, completes and
    compresses as the whole one does; it cannot be trained, and has no gradients.

    ```python
    model = pt.load("digits")
    ```

    Args:
        source: a model folder, a bundled name (where no model folder has it), or `hf:user/model` on the hub.
        hub: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only` of the download.

    Raises:
        CheckpointError: if it is not there, not a Pointillist model, damaged, or would have to run code to be opened.
        MissingExtraError: if it has no program that reads all its conditions, and torch is not installed.
    """
    check_keywords("load", hub, HUB_KEYWORDS)
    if find_spec("torch") is None:
        program: Any = open_program(find_model(str(source), hub), "integer")
        if program is not None:
            opened: PixelModel = program
            return opened
    return load_weights(source, **hub)


def load_weights(model: str | Path, **hub: Any) -> PixelModel:
    """Load the weights of a model, with torch.

    Raises:
        CheckpointError: if there is no such model, or it is damaged.
        MissingExtraError: if torch is not installed.

    Example:
        load_weights("digits").num_parameters()
    """
    if find_spec("torch") is None:
        raise MissingExtraError(f"What is asked of {model} is computed with torch, and", "train")
    from pointillist.model.pixel_model import PixelModel

    return PixelModel.from_pretrained(model, **hub)


@dataclass(frozen=True)
class ModelSummary:
    """A model of `pointillist models`.

    Attributes:
        name, summary: its name and one line on it.
        presets: parameters of each of its sizes.
        training: settings of the training (`TrainConfig`) that come with a preset of a paper.
        conditions: inputs in addition to the image.
        likelihoods: for each kind of image, those that fit.
        orders: kinds of generation order that it can follow.
    """

    name: str
    summary: str
    presets: dict[str, int]
    training: dict[str, dict[str, Any]]
    conditions: list[str]
    likelihoods: dict[str, list[str]]
    orders: list[str]


def list_models() -> list[ModelSummary]:
    """List the models that can be built: models of the package, and registered ones.

    ```python
    [model.name for model in pt.list_models()]
    ```
    """
    result: list[dict[str, Any]] = json.loads(LISTING.read_text(encoding="utf-8"))
    registry = sys.modules.get("pointillist.networks.registry")  # who has not imported it has registered nothing
    if registry is not None:
        from pointillist.model.folder.building import measure_network

        listed = {network["name"] for network in result}
        result += [measure_network(name) for name in registry.names() if name not in listed]
    return [ModelSummary(**network) for network in result]
