"""Memory that a job would take is estimated before it is spent, and what does not fit is rejected with what would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pointillist as pt
from pointillist import system
from pointillist.model import memory
from pointillist.networks import names

# in a process of its own: a limit of the address space cannot be taken back
LIMITED = """
import resource, sys
import torch
from typer.testing import CliRunner
from pointillist.commands.cli import app
import pointillist as pt

resource.setrlimit(resource.RLIMIT_AS, (7 * 2**30, 7 * 2**30))
for arguments in (
    "train photos --size 3200 --dry-run --preset tiny --threads 1",
    "train photos --size 3200 --preset tiny --threads 1 --out run",
    "evaluate model photos --set data.size=3200",
    "sample model --size 60000 -n 1 --out big.png",
):
    result = CliRunner().invoke(app, arguments.split())
    print(result.exit_code, " ".join(result.output.split()))
try:
    pt.build("pixelcnn", shape=(1, 9000, 9000), position_channels=64)
except pt.PointillistError as error:
    print(2, error)
# not `ru_maxrss`, which begins with the peak of the process that started this one
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="freed memory is returned to the system on Linux")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["gated-pixelcnn", "pixelcnn-pp", "row-lstm", "pixelsnail"])
def test_the_estimate_is_what_the_process_grows_by(name: str, training: bool) -> None:
    """Within the factor that the module states, for some 150 MB."""
    model = pt.build(name, shape=(3, 32, 32), likelihood="mixture", preset="tiny").train(training)
    use = memory.training_memory(model) if training else memory.evaluation_memory(model)
    count = int(1.5e8 / use.bytes(1, 48, 64))
    x = torch.zeros(count, 3, 48, 64, dtype=torch.int64)

    def step() -> None:
        with torch.set_grad_enabled(training):
            nats = model(x).sum()
        if training:
            nats.backward()

    _, peak = system.measure_peak_memory(step)
    assert peak / 2 < use.bytes(count, 48, 64) < peak * 2


@pytest.mark.parametrize("name", names())
def test_each_network_has_an_estimate(name: str) -> None:
    """It grows with the preset, and leaves the model in its mode, without gradients."""
    tiny, small = (pt.build(name, shape=(1, 32, 32), levels=16, preset=preset).eval() for preset in ("tiny", "small"))
    assert 0 < memory.training_memory(tiny).per_pixel < memory.training_memory(small).per_pixel
    assert 0 < memory.evaluation_memory(tiny).per_pixel <= memory.evaluation_memory(small).per_pixel
    assert not tiny.training
    assert all(parameter.grad is None for parameter in tiny.parameters())


def test_what_fits_is_named_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller batch, a smaller image and a smaller preset, each of which is accepted."""
    model = pt.build("gated-pixelcnn", shape=(1, 256, 256), levels=16, preset="base")
    use = memory.training_memory(model)
    monkeypatch.setattr(system, "free_bytes", lambda device: int(use.bytes(10, 256, 256) / system.USABLE))
    device = torch.device("cpu")
    with pytest.raises(pt.ConfigError, match=r"`batch_size=8` .* or `size=\d+x\d+`, or `preset=small`") as error:
        memory.check_training_memory(model, 16, (256, 256), device)
    assert str(error.value).count(". ") == 0
    memory.check_training_memory(model, 8, (256, 256), device)
    side = int(str(error.value).split("`size=")[1].split("x")[0])
    memory.check_training_memory(model, 16, (side, side), device)
    small = pt.build("gated-pixelcnn", shape=(1, 256, 256), levels=16, preset="small")
    memory.check_training_memory(small, 16, (256, 256), device)


def test_available_memory_is_what_is_left_of_the_address_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least of all limits counts."""
    monkeypatch.setattr(system, "_address_space_bytes", lambda: 1000)
    assert system.available_bytes() == 1000
    monkeypatch.setattr(system, "_group_bytes", lambda: 10)
    assert system.available_bytes() == 10


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="address-space limits work on Linux")
def test_large_images_are_rejected_before_memory_is_spent(tmp_path: Path) -> None:
    """Under a limit of 7 GiB each command ends in one sentence, and little memory was touched."""
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.effect_noise((64, 64), 50).convert("RGB").save(tmp_path / "photos" / f"{number}.png")
    pt.build("pixelcnn", shape=(3, 8, 8), preset="tiny").save_pretrained(tmp_path / "model")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, cwd=tmp_path, check=True, timeout=300
    )
    *lines, peak = done.stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert line.startswith("2 "), line
        assert "GiB" in line, line
    assert "would fit: `--size" in lines[0]
    assert not (tmp_path / "big.png").exists()
    assert int(peak) < 3000  # megabytes
