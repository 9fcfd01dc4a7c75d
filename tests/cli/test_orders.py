"""Orders from the command line: train on several, paint in one, measure by one, by all, and by their average."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt
from tests.tolerances import network_rounding

from .helpers import fails, run, train


@pytest.fixture(scope="session")
def curved(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two orders: along rows and along columns."""
    out = tmp_path_factory.mktemp("runs") / "curved"
    train(
        pets, "--mode", "grey", "--levels", "4", "--steps", "4", "--out", out,
        "--model", "locally-masked-pixelcnn", "--orders", "s-curve,raster-columns-br",
    )  # fmt: skip
    return out


def test_orders_are_kept_with_the_model(curved: Path) -> None:
    """In its settings, in `info`, and in the run file, which can be given back."""
    orders = ["s-curve", "raster-columns-br"]
    assert list(pt.load(curved).config.orders) == orders
    assert json.loads(run("info", curved, "--json").stdout)["orders"] == orders
    assert "orders = [" in (curved / "run.toml").read_text()
    assert "There is no order" in fails("train", "uci-digits", "--orders", "spiral")
    assert "masks locally" in fails("train", "uci-digits", "--orders", "s-curve-all")


def test_painting_in_an_order(curved: Path) -> None:
    """What the library paints; an animation of the walk; other orders are refused."""
    found = json.loads(
        run(
            "sample", curved, "-n", "2", "--seed", "1", "--order", "raster-columns-br", "--out", "a.npz", "--json"
        ).stdout
    )
    assert found["order"] == "raster-columns-br"
    ours = pt.load(curved)
    expected = pt.sample(ours, 2, seed=1, order="raster-columns-br")
    with np.load("a.npz") as archive:
        assert np.array_equal(archive["levels"], expected.levels)
        assert np.allclose(archive["nats"], expected.nats, rtol=0, atol=network_rounding(ours, expected.nats))
    assert "order        s-curve\n" in run("sample", curved, "-n", "1", "--animate", "a.gif").output
    backwards = run("sample", curved, "-n", "1", "--order", "raster-columns-br", "--force").output
    assert "order        raster-columns-br" in backwards
    assert Path("a.gif").exists()
    assert "choose one of s-curve, raster-columns-br" in fails("sample", curved, "--order", "raster", "--force")


def test_measuring_by_one_order_each_and_their_average(curved: Path, pets: Path) -> None:
    """As `evaluate` says, with the nats of each."""
    found = {
        order: json.loads(run("evaluate", curved, pets, "--split", "train", "--order", order, "--json").stdout)
        for order in ("s-curve", "raster-columns-br", "each", "average")
    }
    one, other = (found[order]["nats"] for order in ("s-curve", "raster-columns-br"))
    within = network_rounding(pt.load(curved), one, other)
    assert found["each"]["nats"] == pytest.approx((one + other) / 2, abs=within)
    assert found["average"]["nats"] <= found["each"]["nats"]
    assert found["average"]["nats_by_order"] == pytest.approx({"s-curve": one, "raster-columns-br": other}, abs=within)
    plain = json.loads(run("evaluate", curved, pets, "--split", "train", "--json").stdout)
    assert (plain["order"], plain["nats"]) == ("s-curve", pytest.approx(one, abs=within))
    shown = run("evaluate", curved, pets, "--split", "train", "--order", "average").output
    assert re.search("order +average", shown)
    assert re.search("nats by order .*raster-columns-br", shown)


def test_a_receptive_field_under_an_order() -> None:
    """Of an untrained model, in any order that it can follow."""
    found = json.loads(
        run(
            "info", "locally-masked-pixelcnn:tiny", "--receptive-field", "1,2", "--size", "4x5",
            "--order", "s-curve-br", "--json",
        ).stdout
    )  # fmt: skip
    assert (found["earlier"], found["missing"], found["leaked"]) == (12, 0, 0)
    assert "s-curve-br" in found["summary"]
    other = ("info", "pixelcnn:tiny", "--receptive-field", "1,2", "--order", "s-curve", "--force")
    assert "masks locally" in fails(*other)
