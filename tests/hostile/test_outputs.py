"""Outputs that are devices or pipes, permissions, and what a killed writer leaves."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.files.writing import atomic_path, write_text

from ..cli.helpers import fails, files_in, run
from .test_interruptions import holder

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pytest.fixture
def picture() -> Path:
    """A digit of the bundled model's kind."""
    array = np.zeros((28, 28), np.uint8)
    array[8:20, 13:15] = 255
    Image.fromarray(array).save("a.png")
    return Path("a.png")


def test_an_archive_replaces_none_of_its_images(picture: Path) -> None:
    """Not even by force; in a folder of images, neither."""
    before = picture.read_bytes()
    assert "is one of the files to compress" in fails("compress", "digits", picture, "--out", picture, "--force")
    assert "is one of the files to compress" in fails("compress", "digits", ".", "--out", picture, "--force")
    assert picture.read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="an ordinary user may make no links on some systems")
def test_links_in_a_circle_and_empty_names_are_named(picture: Path) -> None:
    """Neither is a path that leads to a file."""
    Path("loop.png").symlink_to("loop.png")
    assert "symbolic links" in fails("compress", "digits", "loop.png", "--out", "a.pxl")
    assert ". is a folder" in fails("detect", "digits", picture, "--sheet", "")


@pytest.mark.parametrize("form", ["c", "js"])
def test_an_export_that_is_stopped_leaves_nothing(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is repeated by the same command: the folder appears when all of its files are written."""
    written: list[Path] = []

    def stop(path: Path, text: str) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write_text(path, text)

    with monkeypatch.context() as context:
        context.setattr("pointillist.studio.export.write_text", stop)
        assert "out cannot be written (No space left on device)" in fails("export", "digits", f"--{form}", "out")
    assert files_in(Path()) == []
    run("export", "digits", f"--{form}", "out")
    assert {path.name for path in written} < {path.name for path in Path("out").iterdir()}
    Path("out", written[0].name).write_text("x")
    run("export", "digits", f"--{form}", "out", "--force")
    assert Path("out", written[0].name).read_text(encoding="utf-8") != "x"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_folder_that_takes_no_files_is_named() -> None:
    """Where no lock can be made, either, which was waited for without an end."""
    assert "as its folder takes no files" in fails("sample", "digits", "-n", 1, "--out", "/proc/x.png")
    with pytest.raises(pt.ConfigError, match="/proc/x cannot be written"):
        pt.export("digits", html="/proc/x/y.html")


@pytest.fixture
def device() -> Path:
    """A copy of `/dev/null`, which only root can make."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a device")
    try:
        os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        Path("null").write_bytes(b"x")
    except OSError:
        pytest.skip("no device can be made here")
    return Path("null")


def through(pipe: Path, write: object) -> bytes:
    """Bytes that come out of a named pipe while `write` runs."""
    os.mkfifo(pipe)
    result: list[bytes] = []
    reader = threading.Thread(target=lambda: result.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write()  # type: ignore[operator]
    reader.join(10)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    return result[0]


def test_a_pipe_is_written_to_with_and_without_force(picture: Path) -> None:
    """The bytes are those of a file."""
    run("compress", "digits", picture, "--out", "c.pxl")
    for number, force in enumerate(([], ["--force"])):
        out = Path(f"pipe{number}")
        data = through(out, lambda out=out, force=force: run("compress", "digits", picture, "--out", out, *force))
        assert data == Path("c.pxl").read_bytes()
    assert through(Path("text"), lambda: write_text(Path("text"), "a")) == b"a"


def test_force_does_not_replace_a_device(picture: Path, device: Path) -> None:
    """It is written to, or named where an output is filled step by step."""
    run("compress", "digits", picture, "--out", device, "--force")
    assert "a device" in fails("sample", "digits", "-n", 1, "--engine", "numpy", "--out", device, "--force")
    run("evaluate", "digits", picture, "--per-image", device, "--force")
    assert "a device" in fails("decompress", picture, "--out", device, "--force")
    assert "null" in fails("quantize", "digits", picture, "--out", device, "--force")
    assert stat.S_ISCHR(device.stat().st_mode)
    assert files_in(Path()) == ["a.png", "null"]


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_permissions_follow_umask_and_stay(mask: int, mode: int) -> None:
    """Those of a file that is replaced stay as they are."""
    before = os.umask(mask)
    try:
        write_text(Path("a"), "1")
        assert stat.S_IMODE(Path("a").stat().st_mode) == mode
        Path("a").chmod(0o640)
        write_text(Path("a"), "2")
        assert stat.S_IMODE(Path("a").stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_two_writers_at_once_do_not_mix() -> None:
    """Each writes a temporary file, and the last one wins."""
    with atomic_path(Path("a")) as first:
        with atomic_path(Path("a")) as second:
            assert first != second
            second.write_text("second")
        first.write_text("first")
    assert Path("a").read_text() == "first"
    assert files_in(Path()) == ["a"]


@pytest.mark.parametrize("length", [251, 255])
def test_the_longest_names(length: int) -> None:
    """The temporary name is no longer than the file system allows."""
    write_text(Path("a" * length), "1")
    assert files_in(Path()) == ["a" * length]


class TestNamesThatAreNotText:
    """Names of files that hold bytes which are not UTF-8."""

    NAME = os.fsdecode(b"caf\xe9\xff.png")

    @pytest.fixture(autouse=True)
    def pictures(self, picture: Path) -> None:
        try:
            for name in ("0.png", self.NAME):
                (Path("folder") / name).parent.mkdir(exist_ok=True)
                (Path("folder") / name).write_bytes(picture.read_bytes())
        except OSError:
            pytest.skip("this file system accepts no such name")

    def test_an_archive_names_the_file(self) -> None:
        for inputs in (Path("folder") / self.NAME, "folder"):
            assert "not UTF-8" in fails("compress", "digits", inputs, "--out", "c.pxl")
        assert "not UTF-8" in fails("jobs", "compress", "digits", "folder", "--tasks", 1, "--out", "job")
        assert not Path("c.pxl").exists()


def test_decompress_goes_on_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are written are not decoded again, another archive is refused, and nothing is left at the end."""
    from pointillist.compression import files

    digits = pt.sample("digits", 6, seed=1, engine="numpy")
    for number, image in enumerate(digits.images):
        Path("in").mkdir(exist_ok=True)
        image.save(f"in/{number}.png")
    run("compress", "digits", "in", "--out", "a.pxl", "--per-record", 2)
    run("compress", "digits", "in/0.png", "--out", "b.pxl")
    original, written = files.save_picture, []

    def saving(picture: Image.Image, path: Path, file: object) -> None:
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(path)
        original(picture, path, file)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(files, "save_picture", saving)
        assert "no space left" in fails("decompress", "a.pxl", "--out", "out/")
    assert "unfinished" in fails("decompress", "b.pxl", "--out", "out/")
    before = {path: path.stat().st_mtime_ns for path in Path("out").glob("*.png")}
    assert len(before) == 3
    assert "images     6" in run("decompress", "a.pxl", "--out", "out/").output
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for number in range(6):
        assert Path(f"out/{number}.png").read_bytes() == Path(f"in/{number}.png").read_bytes()
    assert files_in(Path("out")) == sorted(f"{number}.png" for number in range(6))
    assert not list(Path().glob(".*"))
    assert "not empty" in fails("decompress", "a.pxl", "--out", "out/")


def test_commands_at_the_same_time_take_a_name_each() -> None:
    """Without `--out`: a name that another process writes is as good as taken."""
    with holder(Path(".samples.png.lock")):
        assert "samples-2.png" in run("sample", "digits", "-n", 1, "--engine", "numpy").output
        assert "samples-3.png" in run("sample", "digits", "-n", 1, "--engine", "numpy").output
        assert "being written" in fails("sample", "digits", "-n", 1, "--engine", "numpy", "--force")
    assert "samples.png" in run("sample", "digits", "-n", 1, "--engine", "numpy").output
    assert files_in(Path()) == ["samples-2.png", "samples-3.png", "samples.png"]


@pytest.mark.parametrize("out", ["big.npz", "big/"])
def test_a_disk_without_room_is_a_sentence_before_the_first_image(out: str) -> None:
    message = fails("sample", "digits", "-n", 10**12, "--out", out)
    assert "GiB are free on its disk: ask for fewer images" in message
    assert files_in(Path()) == []


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("model/program.json", "quantize digits a.png --out model --force"),
        ("page/model.c", "export digits --c page --force"),
        ("out/00000.png", "sample digits -n 1 --out out/ --force"),
        ("out/00000.png", "inpaint digits a.png --region 14:,: -n 1 --seed 1 --out out/ --force"),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_named(picture: Path, name: str, command: str) -> None:
    """The sentence names the file that was to be written, and no temporary one."""
    Path(name).mkdir(parents=True)
    _names_the_folder(fails(*command.split()), name)


def _names_the_folder(message: str, name: str) -> None:
    assert f"{name} is a folder, where a file is to be written" in message
    assert ".tmp" not in message
    assert ".partial" not in message
    assert not list(Path().rglob("*.tmp"))


@pytest.mark.parametrize("name", ["a\0b.png", "a\ud800.png"])
def test_a_character_that_no_path_has_is_named(name: str) -> None:
    """In files that are read and written, and in folders that are written."""
    model = pt.load("digits")
    samples = pt.sample(model, 1, seed=0)
    for call in (
        lambda: pt.sample(model, 1, rules=name),
        lambda: pt.decompress(name),
        lambda: samples.save(name),
        lambda: model.save_pretrained(name),
    ):
        with pytest.raises(pt.PointillistError, match=r"has a character that no path has \(.+\): "):
            call()


def test_errors_of_a_temporary_file_name_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder may have even the name of the temporary file, and a disk may be full."""
    Path(".a.tmp").mkdir()
    write_text(Path("a"), "1")
    assert Path("a").read_text() == "1"
    with pytest.raises(OSError, match="No space") as caught, atomic_path(Path("b")) as temporary:
        raise OSError(errno.ENOSPC, "No space left on device", str(temporary))
    assert caught.value.filename == "b"
