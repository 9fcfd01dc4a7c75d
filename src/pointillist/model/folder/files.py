"""Model folders: find one by bundled name, path or hub id; read and write it without running code from it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pointillist.errors import CheckpointError, ConfigError, counted
from pointillist.files import arrays
from pointillist.files.arrays import CARD, CONFIG, GENERATION, PROMPTS, TILESET, WEIGHTS
from pointillist.files.tensors import check_values, decode_weights, read_tensors, write_folder
from pointillist.files.writing import atomic_path, whole_folder, write_text
from pointillist.model.config import ModelConfig
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.folder.settings import read_tileset
from pointillist.model.integer import StoredModel, current_integer_model
from pointillist.model.portable.files import check_program, remove_program, save_integer_model
from pointillist.model.training_record import TrainingRecord, card_with_cost

Model = TypeVar("Model", bound=StoredModel)


def output_folder(path: str | Path) -> Path:
    """Return the folder that a model is written to.

    Raises:
        ConfigError: for an empty name, which would mean the current folder.
    """
    if not str(path).strip():
        raise ConfigError("`save_directory` (='') is empty: give the name of a folder, or '.' for the current one.")
    return Path(path)


def write_model(folder: Path, model: StoredModel) -> None:
    """Write a model folder; each file appears whole or not at all, and a new folder with all files or not at all.

    Raises:
        CheckpointError: for weights that `read_model` would reject, such as NaN.
    """
    tensors, integer_model = model.state_dict(), current_integer_model(model)
    check_values(tensors, folder / WEIGHTS)
    cost = None if integer_model is None else model.integer_cost
    card = model.card or default_card(model.config, model.likelihood_name, model.num_parameters())
    training = model.training_record.stored(cost)
    if integer_model is None:
        remove_program(folder)
    with whole_folder(folder):
        if model.tileset is not None:
            with atomic_path(folder / TILESET) as temporary:
                model.tileset.write(temporary)
        else:
            (folder / TILESET).unlink(missing_ok=True)
        for name, text in ((GENERATION, model.generation_config.dumps()), (PROMPTS, model.measured_prompts.dumps())):
            if text:
                write_text(folder / name, text)
            else:
                (folder / name).unlink(missing_ok=True)
        config = model.config.model_dump(mode="json") | ({"training": training} if training else {})
        write_folder(folder, tensors, config, card_with_cost(card, cost))
    if integer_model is not None:
        save_integer_model(integer_model, folder)


def read_model(folder: Path, build: Callable[[ModelConfig], Model]) -> Model:
    """Read a model folder, with every size checked before memory is taken for it.

    Args:
        folder: with `config.json` and `model.safetensors`.
        build: makes the model of a config, which tells which tensors it has.

    Raises:
        CheckpointError: if the folder is not a Pointillist model, damaged, or has an integer program of other weights.
    """
    record = arrays.read_config(folder)
    check_program(folder)
    training, cost = TrainingRecord.read(record.pop("training", {}), folder / CONFIG)
    try:
        config = ModelConfig.from_dict(record)
        with meta_init():
            expected = {name: tuple(tensor.shape) for name, tensor in build(config).state_dict().items()}
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG} does not describe a model of this release: {error}") from error
    _compare_shapes(expected, arrays.weight_shapes(folder / WEIGHTS), folder)
    arrays.check_config_hash(folder, record)
    tensors = decode_weights(read_tensors(folder / WEIGHTS))
    check_values(tensors, folder / WEIGHTS)
    card, generation = folder / CARD, GenerationConfig.read(folder)
    try:
        generation.shown(config.image)
    except ConfigError as error:
        raise CheckpointError(f"{folder / GENERATION}: {error}") from error
    model = build(config)
    model.training_record = training
    model.card = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None
    model.integer_cost, model.program_folder = cost, folder
    model.generation_config, model.measured_prompts = generation, MeasuredPrompts.read(folder)
    model.tileset = read_tileset(folder, config.image.levels)
    model.load_state_dict(tensors)
    return model


def upload_model(write: Callable[[str], object], repo_id: str, **hub: Any) -> str:
    """Upload a model folder to a repository of the hub, which is made if it does not exist; return its address.

    Args:
        write: writes the folder under a path.
        repo_id: `user/model`.
        hub: `private` of a new repository; `token`; `commit_message`, `revision` and `create_pr` of the upload.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=hub.pop("token", None))
    repository = api.create_repo(repo_id, private=hub.pop("private", None), exist_ok=True)
    hub.setdefault("commit_message", "Push model using pointillist")
    with tempfile.TemporaryDirectory() as folder:
        write(folder)
        return str(api.upload_folder(repo_id=repository.repo_id, folder_path=folder, **hub))


def _compare_shapes(expected: dict[str, tuple[int, ...]], actual: dict[str, tuple[int, ...]], folder: Path) -> None:
    """Refuse a file whose tensors are not those that its settings promise, before memory is taken for either."""
    wrong = sorted(set(expected) ^ set(actual)) or sorted(n for n in expected if expected[n] != actual[n])
    if wrong:
        name = wrong[0]
        raise CheckpointError(
            f"{folder / WEIGHTS} does not belong to its {CONFIG}: tensor {name!r} is {actual.get(name, 'missing')}, "
            f"expected {expected.get(name, 'none')}; copy the whole folder again."
        )


def default_card(config: ModelConfig, likelihood: str, num_parameters: int) -> str:
    """Write a model card with what is known without a training run."""
    image = config.image
    settings = json.dumps(config.backbone.model_dump(mode="json"))
    return f"""---
library_name: pointillist
pipeline_tag: unconditional-image-generation
tags: [pointillist, {config.model_type}]
---

# {config.model_type}, {image.mode} {image.height}x{image.width}, {image.levels} levels

A model that generates an image one pixel at a time, with exact likelihood. Made with Pointillist.

| | |
|---|---|
| model | {config.model_type}, {num_parameters:,} parameters |
| image | {counted(image.channels, "channel")}, {image.height} x {image.width} |
| levels | {image.levels}, {"ordered" if image.ordered else "unordered"} |
| likelihood | {likelihood} |
| classes | {len(config.classes) or "none"} |
| conditions | {", ".join(config.describe_conditions()) or "none"} |
| orders | {", ".join(config.orders)} |
| network | `{settings}` |

```python
import pointillist as pt

model = pt.load("this-folder-or-hub-id")
pt.sample(model, 16, seed=0).images
```
"""


_NUMBERS_ONLY = {Tensor.normal_, Tensor.uniform_, Tensor.mul_}  # they do not change a shape


class _Unfilled(TorchFunctionMode):
    """Skips the functions that fill tensors.

    On the meta device torch runs them in Python, for which it imports its compiler: 0.9 s.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _NUMBERS_ONLY or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        if func is Tensor.norm:  # its result has the shape of a slice
            return args[0].select(kwargs["dim"], 0)
        return func(*args, **kwargs)


@contextmanager
def meta_init() -> Iterator[None]:
    """Build the modules of a `with` block on the meta device, without filling their tensors.

    Example:
        ```python
        with meta_init():
            model = PixelModel(config)
        ```
    """
    with torch.device("meta"), _Unfilled():
        yield
