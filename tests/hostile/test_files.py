"""Hostile files end with one sentence: no traceback, no hang, and no memory for what a header only claims."""

from __future__ import annotations

import io
import os
import resource
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt
from pointillist import system
from pointillist.data.palette import read_palette
from pointillist.errors import MAX_MESSAGE, PointillistError
from pointillist.files.settings_tree import parse_value, read_toml
from pointillist.studio.reproduce import read_manifest

from ..cli.helpers import fails
from .files import HUGE, METADATA, PALETTES, PICTURES, TOML, write_picture


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Each test runs within 2 GiB more than the process has, and 20 seconds."""
    import psutil

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2 * 2**30, before[1]))
    started = time.monotonic()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.monotonic() - started < 20


def sentence(read: Callable[[], object]) -> str:
    """The message of the error that a reader must raise: one short line."""
    with pytest.raises(PointillistError) as caught:
        read()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE
    assert message[-1] in ".?", message
    return message


def small_run(tree: dict[str, object]) -> object:
    """Resolve the settings of a run."""
    from pointillist.training.runs.config import RunConfig

    return RunConfig.from_dict(tree)


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures(tmp_path: Path, kind: str) -> None:
    """In a folder, alone, as a palette, and explained."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "a.png"
    path.write_bytes(PICTURES[kind])
    assert "a.png" in sentence(lambda: pt.load_data(folder))
    assert "a.png" in sentence(lambda: pt.load_data(path))
    assert "a.png" in sentence(lambda: read_palette(path))
    assert "a.png" in sentence(lambda: pt.explain(pt.load("digits"), path))


@pytest.mark.parametrize("kind", METADATA)
def test_metadata(tmp_path: Path, kind: str) -> None:
    write_picture(tmp_path / "a.png")
    name = f"metadata.{kind.rpartition('.')[2]}"
    (tmp_path / name).write_text(METADATA[kind])
    if kind == "nul.csv":  # Python 3.11 and later read such a file
        return
    sentence(lambda: pt.load_data(tmp_path))


@pytest.mark.parametrize("kind", PALETTES)
def test_palettes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.write_text(PALETTES[kind])
    assert kind in sentence(lambda: read_palette(path))


@pytest.mark.parametrize("kind", TOML)
def test_run_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(TOML[kind])
    sentence(lambda: small_run(read_toml(path)))
    fails("train", "--config", path, "--dry-run")


@pytest.mark.parametrize("value", [HUGE, "[" * 100_000, "{a=" * 100_000, "a." * 10_000, "9" * 400])
def test_overrides(value: str) -> None:
    """What is not TOML is text, and no number of more than 64 bits comes through."""
    assert parse_value(value) == value
    fails("train", "uci-digits", "--dry-run", "--set", f"train.steps={value}")


def pipes(folder: Path) -> list[Path]:
    """A named pipe, a socket and a device, with names of pictures where a name can be chosen."""
    os.mkfifo(folder / "pipe.png")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket.png"))
    listening.close()
    return [folder / "pipe.png", folder / "socket.png", Path("/dev/zero")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("index", [0, 1, 2], ids=["pipe", "socket", "device"])
def test_what_is_no_file_is_not_read(tmp_path: Path, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any reader: a pipe that nobody writes to would wait for ever, and /dev/zero has no end."""
    monkeypatch.chdir(tmp_path)
    path = pipes(Path())[index]
    for suffix in (".npy", ".npz", ".json", ".hex", ".toml", ".jsonl", ".csv", ".parquet", ".png"):
        if not Path(f"x{suffix}").exists():
            Path(f"x{suffix}").symlink_to(path.absolute())
    for suffix in (".npy", ".npz", ".parquet", ".png"):
        assert "ordinary file" in sentence(lambda s=suffix: pt.load_data(f"x{s}"))
    for suffix in (".json", ".hex", ".png"):
        assert "ordinary file" in sentence(lambda s=suffix: read_palette(f"x{s}"))
    assert "ordinary file" in sentence(lambda: read_toml(Path("x.toml")))
    assert "ordinary file" in sentence(lambda: read_manifest(Path("x.json")))
    for option, name in (
        ("--hint", "x.npy"),
        ("--hint", "x.png"),
        ("--condition", "vector=x.npy"),
        ("--palette", "x.hex"),
    ):
        assert "ordinary file" in fails("sample", "outline-to-tile", "-n", 1, option, name, "--out", "out.png")
    folder = Path("folder")
    folder.mkdir()
    (folder / "a.png").symlink_to(path.absolute())
    assert "ordinary file" in sentence(lambda: pt.load_data(folder))
    (folder / "a.png").unlink()
    write_picture(folder / "a.png")
    (folder / "metadata.jsonl").symlink_to(path.absolute())
    assert "ordinary file" in sentence(lambda: pt.load_data(folder))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_among_pictures_can_be_skipped(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    assert len(pt.load_data(tmp_path, skip_bad=True, valid_fraction=0.0).get("train")) == 1


@pytest.mark.parametrize("shape", [(10**6, 10**4, 10**4), (2**62, 2**62, 2), (5 * 10**6, 28, 28), (10**10, 1, 1), (1,)])
def test_archives_that_claim_more_than_they_hold(tmp_path: Path, shape: tuple[int, ...]) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x.npy", header.getvalue())
    assert "is cut off" in sentence(lambda: pt.load_data(tmp_path / "a.npz"))
    (tmp_path / "a.npy").write_bytes(header.getvalue())
    assert "is cut off" in sentence(lambda: pt.load_data(tmp_path / "a.npy"))


def test_an_archive_that_unpacks_to_more_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand images of 28x28 in 80 kB: the size is known before a byte is unpacked."""
    shape = (100_000, 28, 28)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
        block = bytes(2**20)
        for _ in range(28 * 28 * shape[0] // 2**20 + 1):
            member.write(block)
    monkeypatch.setattr(system, "available_bytes", lambda: 50 * 2**20)
    assert "of memory, but only" in sentence(lambda: pt.load_data(path))


@pytest.mark.parametrize(
    "content", [b"\x89PNG" + bytes(range(256)) * 400, b"[" * 100_000, b'{"a":"' + b"x" * 200_000 + b'"}', b""]
)
def test_manifests(tmp_path: Path, content: bytes) -> None:
    """A file that is not a manifest is not printed."""
    (tmp_path / "a.json").write_bytes(content)
    assert "a.json" in sentence(lambda: read_manifest(tmp_path / "a.json"))
