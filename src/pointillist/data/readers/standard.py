"""Read the standard data sets: the bundled UCI digits, and MNIST, Fashion-MNIST and CIFAR-10 from local files.

UCI handwritten digits (8x8, 17 levels) come with the package (`data/builtin/LICENSE-uci-digits.md`). The others are
read from the files that their authors publish, never from pickle.
"""

from __future__ import annotations

import gzip
import struct
import tarfile
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np

from pointillist import system
from pointillist.data.raw import RawImages, split_off
from pointillist.errors import DataError

HUB_NAMES = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist", "cifar10": "uoft-cs/cifar10"}
CLASSES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
ENVIRONMENT = "POINTILLIST_DATA"
"""Variable with the folder in which each standard data set has a folder of its files."""
DIGITS_TEST_IMAGES = 360
_CIFAR_RECORD = 1 + 3 * 32 * 32
_CIFAR_BYTES = 10_000 * _CIFAR_RECORD  # of a file
_CIFAR_PARTS = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}


def uci_digits() -> RawImages:
    """Read the 1,797 bundled digits in file order; 360 of them, stratified by label with seed 0, are the test split."""
    with (files("pointillist.data") / "builtin" / "uci_digits.npz").open("rb") as file, np.load(file) as archive:
        values, labels = archive["x"][:, None], archive["y"].astype(np.int64)
    test = split_off(labels, len(labels), DIGITS_TEST_IMAGES, seed=0)
    return RawImages(
        values=values,
        kind="integers",
        name="uci-digits",
        labels=labels,
        split=np.where(test, "test", "train"),
        classes=tuple("0123456789"),
        levels=17,
    )


def read_standard(name: str, folder: Path) -> RawImages:
    """Read the data set `name` from its standard files in `folder`, with its train and test split.

    Raises:
        DataError: if a file is missing (named), damaged, or a pickle.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give the one that holds the files of {name}, as {name}:FOLDER.")
    parts = {}
    for split in ("train", "test"):
        parts[split] = _cifar_part(folder, split) if name == "cifar10" else _idx_part(name, folder, split)
    return RawImages(
        values=np.concatenate([values for values, _ in parts.values()]),
        kind="pictures",
        name=name,
        labels=np.concatenate([labels for _, labels in parts.values()]).astype(np.int64),
        split=np.repeat(list(parts), [len(labels) for _, labels in parts.values()]),
        classes=CLASSES[name],
    )


def _idx_part(name: str, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    stem = {"train": "train", "test": "t10k"}[split]
    images = read_idx(_find(name, folder, f"{stem}-images-idx3-ubyte"))
    labels = read_idx(_find(name, folder, f"{stem}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(f"The {split} files of {name} in {folder} do not fit together: download them again.")
    return images[:, None], labels


def _find(name: str, folder: Path, file_name: str) -> Path:
    dotted = file_name.replace("-idx", ".idx")  # the spelling in some archives
    folders = (folder, folder / "raw", folder / name.replace("-", "_").upper() / "raw", folder / "FashionMNIST" / "raw")
    for parent in folders:
        for candidate in (file_name, f"{file_name}.gz", dotted, f"{dotted}.gz"):
            if (parent / candidate).is_file():
                return parent / candidate
    raise DataError(f"{folder} has no {file_name} (or .gz): put the four standard files of {name} there.")


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or gzip.

    Raises:
        DataError: if it is not such a file, or holds fewer or more bytes than its header claims.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            zero, kind, axes = struct.unpack(">HBB", file.read(4))
            if zero != 0 or kind != 8 or not 1 <= axes <= 4:
                raise DataError(f"{path} is not an IDX file of unsigned bytes: download it again.")
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            size = int(np.prod(shape, dtype=object))
            system.check_memory(size, str(path), "check the file")
            data = file.read(size + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): download it again.") from error
    if len(data) != size:
        raise DataError(
            f"{path} holds {'fewer' if len(data) < size else 'more'} bytes than it claims: download it again."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _cifar_part(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    records = [_cifar_file(folder, file_name) for file_name in _CIFAR_PARTS[split]]
    rows = np.concatenate(records).reshape(-1, _CIFAR_RECORD)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]


def _cifar_file(folder: Path, file_name: str) -> np.ndarray:
    for parent in (folder, folder / "cifar-10-batches-bin"):
        if (parent / file_name).is_file():
            with (parent / file_name).open("rb") as file:
                return _cifar_records(file.read(_CIFAR_BYTES + 1), str(parent / file_name))
    archive = folder / "cifar-10-binary.tar.gz"
    if archive.is_file():
        try:
            with tarfile.open(archive) as tar:
                member = tar.extractfile(f"cifar-10-batches-bin/{file_name}")
                if member is not None:
                    with member:
                        return _cifar_records(member.read(_CIFAR_BYTES + 1), f"{archive}:{file_name}")
        except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
            raise DataError(f"{archive} is damaged ({error}): download it again.") from error
    python = (folder / "data_batch_1", folder / "cifar-10-batches-py", folder / "cifar-10-python.tar.gz")
    if any(p.exists() for p in python):
        raise DataError(
            f"{folder} holds the python version of CIFAR-10, which is pickle and could run code, so it is not read: "
            "put the binary version (cifar-10-binary.tar.gz) there."
        )
    raise DataError(f"{folder} has no {file_name}: put the binary version of CIFAR-10 (cifar-10-binary.tar.gz) there.")


def _cifar_records(data: bytes, name: str) -> np.ndarray:
    if not data or len(data) % _CIFAR_RECORD or max(data[::_CIFAR_RECORD]) > 9:
        raise DataError(f"{name} is not a batch of CIFAR-10 in its binary version: download it again.")
    return np.frombuffer(data, np.uint8)
