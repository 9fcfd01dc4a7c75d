"""MNIST, Fashion-MNIST and CIFAR-10 from their standard files, and real data that are at hand; nothing is fetched."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt
from pointillist.data import load_data
from pointillist.errors import DataError


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, zipped: bool, dotted: bool = False) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    for stem, rows in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        for kind, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            name = f"{stem}-{kind}".replace("-idx", ".idx") if dotted else f"{stem}-{kind}"
            data = idx(array[rows])
            (folder / (name + ".gz" if zipped else name)).write_bytes(gzip.compress(data) if zipped else data)
    return images


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_files(tmp_path: Path, name: str, zipped: bool) -> None:
    images = write_mnist(tmp_path, zipped, dotted=not zipped)
    splits = load_data(f"{name}:{tmp_path}")
    assert [len(splits.get(s)) for s in splits.names] == [18, 2, 10]
    test = splits.get("test")
    assert (test.batch(range(10)).levels[:, 0] == images[20:]).all()
    assert test[3]["label"] == 3
    assert len(test.classes) == 10
    assert test.spec.mode == "grey"


def test_the_environment_says_where_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "mnist" / "MNIST" / "raw", zipped=False)
    monkeypatch.setenv("POINTILLIST_DATA", str(tmp_path))
    assert load_data("mnist", binarise="static").get("test").spec.levels == 2


def test_damaged_and_missing_idx_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not a folder.*mnist:FOLDER"):
        load_data(f"mnist:{tmp_path}/none")
    with pytest.raises(DataError, match=r"has no train-images-idx3-ubyte"):
        load_data(f"mnist:{tmp_path}")
    write_mnist(tmp_path, zipped=False)
    path = tmp_path / "t10k-images-idx3-ubyte"
    whole = path.read_bytes()
    huge = struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31)
    for content, message in (
        (whole[:-1], r"fewer bytes"),
        (whole + b"x", r"more bytes"),
        (b"", r"is damaged"),
        (b"PK" + whole, r"not an IDX file"),
        (huge, r"GiB"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            load_data(f"mnist:{tmp_path}")


def cifar_batches() -> dict[str, bytes]:
    rows = np.random.default_rng(0).integers(0, 256, (6, 4, 3073), dtype=np.uint8)
    rows[..., 0] %= 10
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    return {name: block.tobytes() for name, block in zip(names, rows, strict=True)}


@pytest.mark.parametrize("packed", [True, False])
def test_cifar_in_its_binary_version(tmp_path: Path, packed: bool) -> None:
    batches = cifar_batches()
    if packed:
        with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as tar:
            for name, data in batches.items():
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    else:
        (tmp_path / "cifar-10-batches-bin").mkdir()
        for name, data in batches.items():
            (tmp_path / "cifar-10-batches-bin" / name).write_bytes(data)
    splits = load_data(f"cifar10:{tmp_path}")
    assert [len(splits.get(s)) for s in splits.names] == [18, 2, 4]
    test = splits.get("test")
    assert test.spec.shape == (3, 32, 32)
    expected = np.frombuffer(batches["test_batch.bin"], np.uint8).reshape(4, 3073)
    assert (test.batch(range(4)).levels.reshape(4, -1) == expected[:, 1:]).all()
    assert test.classes[3] == "cat"


def test_the_pickled_version_of_cifar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}")
    with pytest.raises(DataError, match=r"pickle.*binary version"):
        load_data(f"cifar10:{tmp_path}")
    (tmp_path / "data_batch_1").unlink()
    with pytest.raises(DataError, match=r"has no data_batch_1.bin"):
        load_data(f"cifar10:{tmp_path}")
    (tmp_path / "data_batch_1.bin").write_bytes(b"x" * 100)
    with pytest.raises(DataError, match=r"not a batch of CIFAR-10"):
        load_data(f"cifar10:{tmp_path}")
    (tmp_path / "data_batch_1.bin").unlink()
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"tar.gz is damaged"):
        load_data(f"cifar10:{tmp_path}")


FOLDER = Path(os.environ.get("POINTILLIST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def path_of(name: str) -> Path:
    """A file of the collection; the test is skipped, with this sentence, where it is not there."""
    if not (FOLDER / name).is_file():
        pytest.skip(f"{name} is not in {FOLDER}: set POINTILLIST_DATA to a folder that has it")
    return FOLDER / name


def test_binary_mnist_keeps_its_own_splits() -> None:
    """Zeros and ones are two levels, kept; train, valid and test are the file's."""
    data = pt.load_data(path_of("mnist_binary_static.npz"))
    assert data.train is not None
    assert data.valid is not None
    assert data.test is not None
    assert (len(data.train), len(data.valid), len(data.test)) == (44_121, 8_872, 10_000)
    assert data.train.spec.shape == (1, 28, 28)
    assert (data.train.spec.levels, data.train.spec.ordered) == (2, True)


def test_omniglot_quantises_to_the_levels_asked_for() -> None:
    """8-bit ink at 16 levels."""
    data = pt.load_data(path_of("omniglot_small_28.npz"), levels=16)
    assert data.get("train").spec.levels == 16
    assert int(data.get("train").batch(range(64)).levels.max()) == 15


def test_tiles_are_palette_indexes_with_names() -> None:
    """`index64` as codes: unordered levels, captions from `name`, the file's split."""
    data = pt.load_data(path_of("dcss_tiles32.npz"), npz_key="index64", mode="codes", levels=64, caption_column="name")
    train = data.get("train")
    assert len(train) <= 6_423
    assert (train.spec.shape, train.spec.levels, train.spec.ordered) == ((1, 32, 32), 64, False)
    assert train.texts is not None
    assert len(data.get("test")) == 707
