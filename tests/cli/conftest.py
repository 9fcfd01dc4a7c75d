"""Models that the tests of the commands share; each is trained once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .helpers import train, write_images


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in a folder of its own, on a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("POINTILLIST_DEBUG", raising=False)


@pytest.fixture(scope="session")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen 5x6 pictures of two classes."""
    return write_images(tmp_path_factory.mktemp("images") / "pets")


@pytest.fixture(scope="session")
def model(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of those pictures as grey ones of 8 levels."""
    before = os.getcwd()
    out = tmp_path_factory.mktemp("runs") / "pets"
    train(pets, "--mode", "grey", "--levels", "8", "--steps", "5", "--out", out)
    os.chdir(before)
    return out


@pytest.fixture(scope="session")
def sprites(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of those pictures in a palette of four colours, without labels and with learned positions."""
    out = tmp_path_factory.mktemp("runs") / "sprites"
    train(pets, "--palette", "4", "--no-labels", "--position-channels", "2", "--steps", "3", "--out", out)
    return out
