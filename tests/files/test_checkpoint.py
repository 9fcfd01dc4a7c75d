"""Reading a model folder is safe for any contents, and writing is atomic."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
import pointillist.model.portable
from pointillist.files import arrays as stored
from pointillist.files import tensors as checkpoint
from pointillist.files.arrays import CARD, CONFIG, WEIGHTS, read_config
from pointillist.files.tensors import write_tensors
from pointillist.files.writing import atomic_path, write_text
from pointillist.model.folder.opening import open_folder
from tests.cli.helpers import fails

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest model there is, saved."""
    folder = tmp_path_factory.mktemp("whole")
    pt.build(
        "pixelcnn", shape=(1, 2, 2), levels=2, channels=1, layers=1, first_kernel=3, head_channels=1
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    for name in (CONFIG, WEIGHTS, CARD):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    return tmp_path


def is_refused(folder: Path) -> bool:
    """Check that the folder is rejected by a CheckpointError; any other exception goes through."""
    try:
        pt.load(folder)
    except pt.CheckpointError:
        return True
    return False


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_every_cut_is_rejected(folder: Path, name: str) -> None:
    """A file that ends early is never a model."""
    data = (folder / name).read_bytes()
    for length in range(len(data) - (1 if name == CONFIG else 0)):  # the last newline of the settings is not a loss
        (folder / name).write_bytes(data[:length])
        assert is_refused(folder), f"cut at {length} of {len(data)}"


def flips(data: bytes, name: str, *, every: bool) -> list[int]:
    """Which bits to flip: of each byte one, or all; of the weights, the header (a weight has no wrong value)."""
    size = 8 + struct.unpack("<Q", data[:8])[0] if name == WEIGHTS else len(data)
    return [8 * i + b for i in range(size) for b in (range(8) if every else [i % 8])]


def check_flips(folder: Path, name: str, *, every: bool) -> None:
    """A flipped bit gives a CheckpointError, or a model where it is a harmless one; never another exception."""
    data = (folder / name).read_bytes()
    refused = 0
    for bit in flips(data, name, every=every):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(damaged)
        refused += is_refused(folder)
    assert refused > len(data) // 3


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_flipped_bits_give_the_named_error(folder: Path, name: str) -> None:
    """One bit of every byte."""
    check_flips(folder, name, every=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_every_flipped_bit_gives_the_named_error(folder: Path, name: str) -> None:
    """All eight bits of every byte."""
    check_flips(folder, name, every=True)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".pkl"])
def test_pickles_are_rejected_and_never_opened(tmp_path: Path, suffix: str) -> None:
    """A pickle runs code when it is opened."""

    class Bomb:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "ran"),))

    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(pt.CheckpointError, match=r"is a pickle, which can run code .* is rejected"):
        pt.load(path)
    path.rename(tmp_path / f"pytorch_model{suffix}")
    with pytest.raises(pt.CheckpointError, match=r"contains no config\.json"):
        pt.load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_in_place_of_the_weights(folder: Path) -> None:
    """Beside a good config.json, or under the name of the weights."""
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    with pytest.raises(pt.CheckpointError, match=r"no model.safetensors; pytorch_model.bin is a pickle"):
        pt.load(folder)
    (folder / "pytorch_model.bin").rename(folder / WEIGHTS)
    with pytest.raises(pt.CheckpointError, match="is damaged"):
        pt.load(folder)


HUGE = {"channels": 8192, "layers": 512, "first_kernel": 63, "kernel": 63, "head_channels": 8192}
RGB = {"channels": 3, "height": 2, "width": 2, "levels": 2, "mode": "rgb"}


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["backbone"].update(HUGE, layers=16),
        lambda c: (c["backbone"].update(HUGE, layers=16), c["image"].update(RGB)),
        lambda c: c["image"].update(channels=10**7, mode="codes"),
        lambda c: c["image"].update(channels=10**12, mode="codes", levels=65536),
        lambda c: (c["image"].update(channels=30_000, mode="codes"), c.update(likelihood="mixture", mixtures=1024)),
        lambda c: (c["image"].update(height=10**18), c.update(position_channels=1024)),
        lambda c: (c["image"].update(height=60_000, width=60_000), c.update(position_channels=1024)),
        lambda c: c["image"].update(levels=10**30),
        lambda c: c["image"].update(levels=3),
        lambda c: c["image"].update(channels=float("nan")),
        lambda c: c["backbone"].update(dropout=float("nan")),
        lambda c: c["backbone"].update(dropout=float("inf")),
        lambda c: c["backbone"].update(kernel=2),
        lambda c: c["backbone"].update(secret=1),
        lambda c: c.update(secret=1),
        lambda c: c.update(model_type="../../etc/passwd"),
        lambda c: c.update(model_type=["pixelcnn"]),
        lambda c: c.update(backbone=None),
        lambda c: c.update(image=[1, 2, 3]),
        lambda c: c.update(classes=["a", "a"]),
        lambda c: c.update(classes=["a", "b"]),
        lambda c: c.update(training=[1]),
        lambda c: c.update(format="pytorch"),
        lambda c: c.update(format_version=2),
    ],
)
def test_hostile_settings_are_rejected_without_taking_memory(
    folder: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    """Huge, not a number, unknown, of another type, or not those of the weights."""
    config = json.loads((folder / CONFIG).read_text())
    change(config)
    (folder / CONFIG).write_text(json.dumps(config))
    with grows_less_than(150), pytest.raises(pt.CheckpointError) as error:
        pt.load(folder)
    assert "\n" not in str(error.value)


@contextmanager
def grows_less_than(mebibytes: int) -> Iterator[None]:
    """Check the memory that this process takes at most, where the system tells it from an earlier peak."""
    peak, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not peak.exists():
        yield
        return
    peak.write_text("5")  # the peak begins again here
    before, after = re.compile(r"VmRSS:\s+(\d+)"), re.compile(r"VmHWM:\s+(\d+)")
    started = int(before.findall(status.read_text())[0])
    yield
    grown = (int(after.findall(status.read_text())[0]) - started) / 1024
    assert grown < mebibytes, f"{grown:.0f} MiB"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff\xfe", b"[" * 1_000_000, b"1" * 100_000,
        b'{"format": "pointillist", "format_version": 1, "a": ' * 50_000,
        b'{"format": "pointillist", "format_version": 1}',
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_settings_file_is_rejected(folder: Path, text: bytes) -> None:
    """Not JSON, too deep, too long, not a table."""
    (folder / CONFIG).write_bytes(text)
    with pytest.raises(pt.CheckpointError):
        pt.load(folder)


def test_a_settings_file_that_is_too_long_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on bytes, before any parsing."""
    monkeypatch.setattr(stored, "MAX_CONFIG_BYTES", 100)
    with pytest.raises(pt.CheckpointError, match="over the limit of 100"):
        read_config(folder)


def test_weights_of_another_model_are_named(folder: Path) -> None:
    """The first tensor that does not fit, with both shapes."""
    other = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=2, layers=1, first_kernel=3, head_channels=1)
    write_tensors(folder / WEIGHTS, other.state_dict())
    with pytest.raises(pt.CheckpointError, match=r"'backbone.blocks.0.expand.bias' is \(4,\), expected \(2,\)"):
        pt.load(folder)
    write_tensors(folder / WEIGHTS, {"extra": torch.zeros(1)})
    with pytest.raises(pt.CheckpointError, match="is missing, expected"):
        pt.load(folder)


def test_a_failing_write_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half-written, and no temporary file is left."""
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def fail(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", fail)
    with pytest.raises(OSError, match="No space"):
        pt.load(folder).save_pretrained(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before

    def interrupted() -> None:
        with atomic_path(folder / "new") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (folder / "new").exists()
    assert len(list(folder.iterdir())) == 3


def test_a_new_folder_without_weights_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves no part of a model."""

    def fail(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(checkpoint, "save_file", fail)
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, channels=1, layers=1)
    with pytest.raises(OSError):  # noqa: PT011 (any)
        model.save_pretrained(tmp_path / "new")
    with pytest.raises(pt.CheckpointError, match=r"contains no config\.json"):
        pt.load(tmp_path / "new")


def test_text_is_replaced_whole(tmp_path: Path) -> None:
    """UTF-8, readable by all, in folders that are made as needed."""
    write_text(tmp_path / "a" / "b.txt", "\u00e9")
    write_text(tmp_path / "a" / "b.txt", "\u00e8")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "\u00e8".encode()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e7])
def test_weights_that_cannot_be_loaded_are_not_saved(folder: Path, value: float) -> None:
    """The error is that of `load`, and the old files stay."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = pt.load(folder)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = value
    with pytest.raises(pt.CheckpointError, match="cannot be used: tensor"):
        model.save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with an integer program."""
    torch.manual_seed(0)
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=2, preset="tiny", classes=("a", "b")).eval()
    pt.quantize_integer(model, torch.randint(0, 2, (3, 1, 4, 4)))
    model.save_pretrained(path := tmp_path_factory.mktemp("quantized"))
    return path


def with_weight(folder: Path, value: float) -> None:
    """Write another weight into a model folder, with a checksum that is right."""
    tensors, config = checkpoint.read_tensors(folder / WEIGHTS), read_config(folder)
    config.pop("training", None)
    next(iter(tensors.values())).view(-1)[0] = value
    write_tensors(folder / WEIGHTS, tensors, settings=stored.settings_digest(config))


COMMANDS = [
    ["sample", "m", "-n", "1", "--out", "x.png"],
    ["jobs", "sample", "m", "-n", "1", "--tasks", "1", "--out", "job"],
    ["compress", "m", "levels.npy", "--out", "x.pxl"],
    ["jobs", "compress", "m", "pictures", "--tasks", "1", "--out", "job"],
    ["decompress", "whole.pxl", "--model", "m", "--out", "out/"],
    ["evaluate", "m", "levels.npy", "--engine", "integer"],
    ["evaluate", "m", "levels.npy"],
]


@pytest.mark.parametrize("value", [float("nan"), 0.125])
def test_a_program_of_other_weights_is_rejected(
    quantized: Path, tmp_path: Path, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python and by every command, in one sentence that names both files."""
    shutil.copytree(quantized, folder := tmp_path / "m")
    images = np.zeros((2, 1, 4, 4), np.uint8)
    np.save(tmp_path / "levels.npy", images[:, 0])
    (tmp_path / "pictures").mkdir()
    Image.fromarray(images[0, 0]).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "whole.pxl").write_bytes(pt.compress(folder, images))
    with_weight(folder, value)
    sentence = r"program\.json was made from other weights than those in \S*model\.safetensors: copy the whole folder"
    for open_model in (pt.load, pointillist.model.portable.load, open_folder, lambda m: pt.compress(m, images)):
        with pytest.raises(pt.CheckpointError, match=sentence):
            open_model(folder)
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        assert re.search(sentence, fails(*command)), command


def test_other_settings_are_rejected_without_torch(quantized: Path, tmp_path: Path) -> None:
    """The weights name the settings that they were written with."""
    shutil.copytree(quantized, folder := tmp_path / "m")
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace('"position_channels": 0', '"position_channels": 1'))
    assert (folder / CONFIG).read_text() != text
    with pytest.raises(pt.CheckpointError, match="was written with other settings"):
        pointillist.model.portable.load(folder)


def test_a_program_needs_no_weights(quantized: Path, tmp_path: Path) -> None:
    """Its two files alone are an integer model; weights that are added later must be its own."""
    for name in ("program.json", "program.safetensors"):
        shutil.copy(quantized / name, tmp_path)
    stored = pointillist.model.portable.load(tmp_path)
    assert stored.fingerprint == pointillist.model.portable.load(quantized).fingerprint
    for name in (CONFIG, WEIGHTS):
        shutil.copy(quantized / name, tmp_path)
    assert pointillist.model.portable.load(tmp_path).fingerprint == stored.fingerprint
    with_weight(tmp_path, 0.125)
    with pytest.raises(pt.CheckpointError, match="from other weights"):
        pointillist.model.portable.load(tmp_path)


def test_other_weights_are_saved_without_the_program(quantized: Path, tmp_path: Path) -> None:
    """A model that was trained on, saved into its own folder; the same weights keep the program."""
    shutil.copytree(quantized, folder := tmp_path / "m")
    model = pt.load(folder)
    model.save_pretrained(folder)
    assert (folder / "program.json").read_bytes() == (quantized / "program.json").read_bytes()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = 0.125
    model.save_pretrained(folder)
    assert not (folder / "program.json").exists()
    with pytest.raises(pt.EngineError, match="no integer program"):
        pt.load(folder).integer_model()
