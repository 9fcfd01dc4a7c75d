"""Inputs that are refused, counted or spelled nearly right: every command reads them by the same rule."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.cli import app
from pointillist.compression.archive import Archive
from pointillist.compression.container import Entry
from pointillist.files import hub, tensors

from ..cli.helpers import fails, files_in, run


@pytest.fixture
def digits() -> Path:
    """A folder of four pictures of the bundled model."""
    Path("digits").mkdir()
    for number, image in enumerate(pt.sample("digits", 4, seed=3).images):
        image.save(f"digits/{number}.png")
    return Path("digits")


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_pixels_of_32_bits_are_refused_by_every_reader(kind: type) -> None:
    Image.fromarray(np.full((28, 28), 70_000, kind)).save("a.tif")
    region = ["--region", "3:5,:", "-n", 1, "--out", "b.png"]
    for command in (
        ["inpaint", "digits", "a.tif", *region],
        ["compress", "digits", "a.tif", "--out", "a.pxl"],
        ["sample", "outline-to-tile", "-n", 1, "--hint", "a.tif", "--out", "b.png"],
        ["info", "a.tif"],
    ):
        shown = fails(*command)
        assert "pixels of kind" in shown or "has signed integers" in shown
    assert files_in(Path()) == ["a.tif"]


def test_hidden_pictures_are_counted(digits: Path) -> None:
    """Their names, or those of their folders, begin with a dot or two underscores."""
    for name in (".a.png", "__MACOSX/b.png", ".cache/c/d.png"):
        (digits / name).parent.mkdir(parents=True, exist_ok=True)
        (digits / name).write_bytes((digits / "0.png").read_bytes())
    (digits / ".DS_Store").write_text("")
    assert "3 hidden pictures left out" in " ".join(run("info", digits).output.split())
    assert "3 hidden" in run("compress", "digits", digits, "--out", "a.pxl").output


def test_an_empty_name_of_a_list_is_refused(digits: Path) -> None:
    """Every list of the command line: it was left out in silence."""
    for command, setting in (
        (["sample", "digits", "--label", "3,,4"], "`--label` (='3,,4')"),
        (["sample", "icons", "--text", "heart;;star"], "`--text` (='heart;;star')"),
        (["evaluate", "icons", digits, "--captions", "heart;"], "`--captions` (='heart;')"),
        (["train", digits, "--attribute-columns", "hair,,eyes"], "attribute_columns` (='hair,,eyes')"),
    ):
        assert f"{setting} has an empty name: leave out a" in fails(*command)


def test_an_empty_number_of_a_list_is_refused(digits: Path) -> None:
    """Each sentence names what was typed."""
    for *command, typed in (
        ["sample", "digits", "--size", "28x"], ["train", digits, "--size", "16xx16"],
        ["world", "dungeons", "--at", "1,,2"],
        ["inpaint", "digits", digits / "0.png", "--region", "3:5,,:"], ["bench", "digits", "--batch-sizes", "1,,2"],
        ["info", "dungeons", "--receptive-field", "3,,4"],
        ["explain", "digits", digits / "0.png", "--what-if", "3,,4=7"],
    ):  # fmt: skip
        assert f"(={typed!r}) must be" in fails(*command, typed)
    assert "There is no order ''" in fails("train", digits, "--orders", "raster,,s-curve")


def test_a_dash_is_standard_input_for_decompress_alone(digits: Path) -> None:
    """Models, data, files of any kind; a file of that name has a path."""
    for command, name in (
        (["compress", "digits", "-", "--out", "a.pxl"], "FILES|DIR"), (["train", "-"], "DATA"),
        (["inpaint", "digits", digits / "0.png", "--mask", "-"], "--mask"), (["sample", "-"], "MODEL"),
        (["sample", "icons", "--texts", "-"], "--texts"), (["train", digits, "--palette", "-"], "--palette"),
    ):  # fmt: skip
        assert f"`{name}` (=-) is standard output or input, to which only `compress` writes" in fails(*command)
    Path("digits").rename("-")
    assert "train 3, valid 1" in run("info", "./-").output
    assert "no class" in fails("sample", "digits", "--label", "-", "--out", "a.png")


def test_standard_input_may_be_empty() -> None:
    """It was said to be cut off within a record."""
    result = CliRunner().invoke(app, ["decompress", "-", "--out", "a"], input="")
    assert (result.exit_code, "The archive is empty: give an archive" in result.output) == (2, True)


def test_a_record_that_declares_more_than_it_holds_is_damage(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("compress", "digits", digits, "--out", "a.pxl")
    archive = Archive("a.pxl")
    (place,) = archive._places
    entry = Entry(place.entry.kind, 10**9, place.entry.length, place.entry.size)
    archive._places = [type(place)(place.start, entry, 0)]
    assert "declares 1,000,000,000 pictures" in str(archive.check_bytes()[0])


def test_a_model_without_weights_is_not_left(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full when the weights are written."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensors, "write_tensors", full)
    assert "no space left" in fails("quantize", "digits", digits, "--out", "q")
    assert not Path("q").exists()
    Path("q").mkdir()
    assert "no space left" in fails("quantize", "digits", digits, "--out", "q")
    assert Path("q").is_dir()


def test_the_hub_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network its libraries are told so, before they try again and again; afterwards all is as it was."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert not hub.is_reachable()
    with hub.offline_if_unreachable():
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in os.environ
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert hub.is_reachable()
    monkeypatch.setenv("HF_ENDPOINT", "http://[")
    assert not hub.is_reachable()
