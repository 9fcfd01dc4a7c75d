"""Arrays: of any library as numpy, next to a JSON document, and in a safetensors file. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pointillist.errors import CheckpointError, ConfigError, ShapeError, quote
from pointillist.files.checkpoint.header import METADATA_KEY, open_weights, read_metadata
from pointillist.files.writing import atomic_path

Array = NDArray[Any]


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

    def get(self, name: Any, dtype: str, shape: tuple[int | None, ...]) -> Array:
        """Return an array.

        Args:
            name: its name.
            dtype: its type.
            shape: its shape, with None for any size.

        Raises:
            CheckpointError: if there is none, or it is of another type or shape.
        """
        array = self._arrays.get(name) if isinstance(name, str) else None
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
