"""Orders from the command line: train on several, paint in one, measure by one, by all, and by their average."""

from __future__ import annotations

import json
import re
from pathlib import Path

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
