"""Arrays: of any library as numpy, next to a JSON document, and in the files of a model folder. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pointillist.errors import CheckpointError, ConfigError, DataError, ShapeError, quote
from pointillist.files.reading import parse_object, read_document
from pointillist.files.writing import atomic_path

Array = NDArray[Any]


class Summary:
    """Base of results whose numbers are wanted as JSON, too: a class lists them, and `to_dict` returns them.

    `_summary` has names with blanks between them, each of an attribute, or `name=attribute`, as in `bits=before.bits`.
    A method is called: `saved_bits=saved.sum`.

    ```python
    surprisal_maps(query).to_dict()["bits"]
    ```
    """

    @property
    def _summary(self) -> str:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of the result, ready for JSON."""
        pairs = (entry.partition("=") for entry in self._summary.split())
        return {name: plain(attrgetter(path or name)(self)) for name, _, path in pairs}


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: numbers of numpy, paths and results too, also in lists and tables.

    ```python
    plain((np.float64(0.5), Path("a.png")))  # [0.5, "a.png"]
    ```
    """
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Summary):
        return value.to_dict()
    return str(value) if isinstance(value, Path) else plain(value()) if callable(value) else value


class ArrayWriter:
    """Give each array a name; an array that is used twice is stored once.

    ```python
    arrays = ArrayWriter()
    arrays.name(matrix)  # "0"
    ```
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, tuple[str, Array]] = {}  # an id belongs to an array as long as it lives

    def name(self, array: Array) -> str:
        if id(array) not in self._names:
            self._names[id(array)] = str(len(self.arrays)), array
            self.arrays[str(len(self.arrays))] = np.ascontiguousarray(array)
        return self._names[id(array)][0]


class ArrayReader:
    """Look up arrays by name, of a type and shape that the reader expects."""

    where: str

    def __init__(self, arrays: dict[str, Array], where: str) -> None:
        self._arrays, self.where = arrays, where

    def get(self, name: str | None, dtype: str, shape: tuple[int | None, ...]) -> Array:
        """Return an array.

        Args:
            name: its name.
            dtype: its type.
            shape: its shape, with None for any size.

        Raises:
            CheckpointError: if there is none, or it is of another type or shape.
        """
        array = None if name is None else self._arrays.get(name)
        if array is None or array.dtype != dtype or array.ndim != len(shape):
            raise self.damaged(f"array {name!r} is missing or of another type")
        if any(due is not None and due != size for due, size in zip(shape, array.shape, strict=True)):
            raise self.damaged(f"array {name!r} has the shape {array.shape}")
        return array

    def damaged(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self.where} is damaged ({why}): copy or make it again.")


def is_tensor(value: object) -> bool:
    """Return True for a tensor of torch, which is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def as_array(value: Any) -> Array:
    """Convert what a user gives to an array: an array, a tensor of torch on any device, or nested lists.

    ```python
    as_array([[0, 1], [2, 3]]).shape  # (2, 2)
    ```
    """
    return np.asarray(value.numpy(force=True) if is_tensor(value) else value)


def number_array(name: str, value: Any, rule: str) -> NDArray[np.float64]:
    """Convert numbers that a user gives to float64.

    ```python
    number_array("prior", 0.5, "a list of numbers")  # array(0.5)
    ```

    Raises:
        ConfigError: naming the argument, its value and the rule, if one cannot be converted.
    """
    try:
        return np.asarray(as_array(value), np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"`{name}` (={quote(value)}) must be {rule}.") from error


def boolean_array(name: str, value: Any, *shapes: tuple[int, ...]) -> NDArray[np.bool_]:
    """Convert a mask that a user gives to an array of one of some shapes.

    ```python
    boolean_array("known", [[True, False]], (1, 2)).shape  # (1, 2)
    ```

    Raises:
        ShapeError: naming the argument, its type and shape, and the shapes that it may have.
    """
    array = as_array(value)
    if array.dtype != bool or array.shape not in shapes:
        listed = " or ".join(map(str, shapes))
        raise ShapeError(f"`{name}` ({array.dtype}, shape {array.shape}) must be boolean, {listed}.")
    return array


def write_arrays(path: Path, arrays: Mapping[str, Array], **metadata: str) -> None:
    """Write arrays to a safetensors file atomically, with their checksum and more metadata in its header."""
    stored = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        # a single key: the library writes several in random order, so equal arrays would not give equal bytes
        header = json.dumps({"sha256": digest_of(stored), **metadata}, sort_keys=True)
        save_file(stored, temporary, {METADATA_KEY: header})


def read_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of a safetensors file and verify their checksum (a file of another tool may have none).

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged, or its checksum is wrong.
    """
    with open_weights(path) as file:
        # copied, because the library maps the file into memory, and a file that shrinks later would crash the process
        arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (not a dict)
        expected = read_metadata(file).get("sha256")
    if expected is not None and expected != digest_of(arrays):
        raise CheckpointError(f"{path} is damaged (its checksum is wrong): copy or download it again.")
    return arrays


def digest_of(arrays: Mapping[str, Array]) -> str:
    """Compute the SHA-256 of names, types, shapes and bytes; types have the names that torch gives them."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} torch.{array.dtype} {array.shape};".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
GENERATION = "generation_config.json"
PROMPTS = "prompts.json"
TILESET = "tileset.png"
PROGRAM, PROGRAM_TENSORS = "program.json", "program.safetensors"
FOLDER_FILES = (WEIGHTS, CONFIG, CARD, GENERATION, PROMPTS, TILESET, PROGRAM, PROGRAM_TENSORS)
"""Files of a model folder."""
FORMAT_VERSION = 1
METADATA_KEY = "pointillist"
MAX_CONFIG_BYTES = 16 * 1024 * 1024
SCALE_SUFFIX = "_scale"
"""End of the name of the array that holds the scales of an int8 matrix."""
_PICKLES = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"}


def read_config(folder: Path) -> dict[str, Any]:
    """Read the settings of a model folder.

    Raises:
        CheckpointError: if the folder is not a Pointillist model, is damaged, or has another format version.
    """
    path = folder / CONFIG
    if folder.is_file():
        if folder.suffix in _PICKLES:
            raise CheckpointError(
                f"{folder} is a pickle, which can run code when it is opened, and is rejected: "
                f"give the model folder that contains {WEIGHTS} and {CONFIG}."
            )
        raise CheckpointError(f"{folder} is a file: give the model folder that contains {WEIGHTS} and {CONFIG}.")
    if not path.is_file():
        raise CheckpointError(f"{folder} contains no {CONFIG}: give a folder written by `pointillist train --out`.")
    config = read_document(path, "a Pointillist model", "pointillist", (FORMAT_VERSION,), MAX_CONFIG_BYTES)
    del config["format_version"]
    return config


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read names and shapes of the weights in a safetensors file, without loading any tensor.

    Weights are floating point, or matrices in int8 with a float32 scale for each output: the first axis, or the last
    axis of the kernels `[taps, in, out]` of recurrences.

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged, or a tensor has another type.
    """
    with open_weights(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        stored = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    shapes = {name: shape for name, (_, shape) in stored.items()}
    for name, (dtype, shape) in stored.items():
        if dtype == "I8" and len(shape) > 1:
            outputs = shape[2 if len(shape) == 3 else 0]
            is_weight = stored.get(name + SCALE_SUFFIX) == ("F32", (outputs,))
            shapes.pop(name + SCALE_SUFFIX, None)
        else:
            is_weight = dtype in ("F64", "F32", "F16", "BF16")
        if not is_weight:
            raise CheckpointError(
                f"The weights `{name}` of {path} are {dtype} {shape}, not floating point or int8 with a float32 scale "
                "for each output: copy the whole folder again."
            )
    return shapes


def count_weights(path: Path) -> int:
    """Count the weights of a model from the header of its file.

    Raises:
        CheckpointError: as `weight_shapes`.
    """
    return sum(map(math.prod, weight_shapes(path).values()))


def check_config_hash(folder: Path, config: Mapping[str, object]) -> None:
    """Reject weights that were written with other settings, for example by an interrupted save over another model.

    Raises:
        CheckpointError: if the hash in the weights is not the hash of `config`.
    """
    with open_weights(folder / WEIGHTS) as file:
        expected = read_metadata(file).get("settings")
    if expected is not None and expected != settings_digest(config):
        raise CheckpointError(
            f"{folder / WEIGHTS} was written with other settings than those in {CONFIG}: copy the whole folder again."
        )


def weights_checksum(folder: Path) -> str | None:
    """Compute the SHA-256 of the weights file of a folder, which holds the hash of its settings; None if there is none.

    Equal weights and settings give equal bytes. Takes a millisecond for each megabyte, and needs no torch.

    Raises:
        CheckpointError: if the file was written with other settings than the folder has.
    """
    if not (folder / WEIGHTS).is_file():
        return None
    config = read_config(folder)
    config.pop("training", None)
    check_config_hash(folder, config)
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_metadata(file: Any) -> dict[str, str]:
    """Read our metadata from the header of a file; empty for a file of another tool."""
    try:
        return parse_object((file.metadata() or {}).get(METADATA_KEY, "{}"), METADATA_KEY, "copy it again")
    except DataError:
        return {"sha256": "unreadable"}  # equals no checksum: the file is rejected as damaged


def settings_digest(config: Mapping[str, object]) -> str:
    """SHA-256 of the settings that the weights depend on: not of the training or of class names."""
    network = {k: v for k, v in config.items() if k not in ("format", "format_version", "training", "classes")}
    return hashlib.sha256(json.dumps(network, sort_keys=True).encode()).hexdigest()


@contextmanager
def open_weights(path: Path, framework: str = "np") -> Iterator[Any]:
    """Open a safetensors file; "pt" reads tensors of torch.

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged.
    """
    if not path.is_file():
        pickles = sorted(p.name for p in path.parent.glob("*") if p.suffix in _PICKLES)
        hint = f"; {pickles[0]} is a pickle, which is rejected because it can run code" if pickles else ""
        raise CheckpointError(f"{path.parent} contains no {path.name}{hint}: copy the whole model folder.")
    if not os.access(path, os.R_OK):  # the library says that it is not there
        raise CheckpointError(f"{path} may not be read: change its permissions, or copy the folder as its owner.")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}): copy or download it again.") from error
