"""Messages in pictures: what is hidden is revealed, at the cost that the model says, and pictures stay samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import pointillist as pt
from pointillist.commands.cli.app import app
from pointillist.compression.codec import RangeEncoder
from pointillist.compression.message import MessageCodec
from pointillist.engine.head.frequencies import Frequencies
from pointillist.engine.head.range_decoder import ALL_REST, RangeDecoder
from pointillist.errors import DataError
from tests.portable.networks import integer_case


@given(st.integers(0, 2**32), st.sampled_from([b"", b"\0", b"\xff"]))
@settings(deadline=None)
def test_any_words_are_symbols_and_their_code_the_words(seed: int, fill: bytes) -> None:
    """The places share out the whole range; of the words all are known but the last bits."""
    rng = np.random.default_rng(seed)
    levels, n = int(rng.integers(2, 40)), 200
    frequencies = (
        rng.multinomial(65536 - levels, rng.dirichlet(np.full(levels, 10.0 ** rng.uniform(-3, 1))), size=n) + 1
    )
    data = b"a" + (fill * 1599 or rng.bytes(1599))
    decoder = RangeDecoder(np.frombuffer(data, ">u4").astype("<u4").tobytes(), ALL_REST)
    symbols = decoder.levels(Frequencies(frequencies), n, 16)[:, None]
    sizes = np.take_along_axis(frequencies, symbols, 1)[:, 0]
    encoder = RangeEncoder(ALL_REST)
    encoder.add_intervals(np.take_along_axis(frequencies.cumsum(1), symbols, 1)[:, 0] - sizes, sizes, 16)
    assert not decoder.is_wrong
    assert data.startswith(encoder.common())
    assert fill or -np.log2(sizes / 65536).sum() / 8 - len(encoder.common()) < 4


@pytest.mark.parametrize(
    "name", ["gated-pixelcnn", "gated-256", "photographs", "pixelcnn-pp", "locally-masked-pixelcnn"]
)
def test_a_message_comes_back(name: str) -> None:
    """By every kind of likelihood, under a label, by every executor, at 12 bytes more than the pictures say at most."""
    _, model, _ = integer_case(name)
    for label in (None, 0) if model.classes else (None,):
        codec, data = MessageCodec(model, label, passphrase="oak"), bytes(range(40))
        result = codec.hide(data, seed=1)
        assert codec.reveal(result.levels) == data
        assert MessageCodec(replace(model, executor="numpy"), label, passphrase="oak").reveal(result.levels) == data
        assert np.array_equal(
            MessageCodec(replace(model, executor="numpy"), label, passphrase="oak").hide(data, seed=1).levels,
            result.levels,
        )
        assert -result.nats.sum() / np.log(2) / 8 - result.held < 3
        wrong = result.levels.copy()
        wrong[0, 0, 0, 0] = (wrong[0, 0, 0, 0] + 1) % model.image.levels
        others = [(replace(codec, passphrase="elm"), result.levels), (codec, wrong), (codec, result.levels[:, :, :1])]
        for other, levels in others:
            with pytest.raises((DataError, pt.ShapeError, pt.EngineError)):
                other.reveal(levels)
    for data, n in ((b"", None), (bytes(100_000), 1)):
        if data == b"" or model.fixed_size:
            with pytest.raises(DataError, match="message"):
                codec.hide(data, n)


def test_pictures_of_messages_are_samples() -> None:
    """Of the same likelihood and levels as samples: 2,000 pictures each, by two tests at 5 standard errors."""
    _, model, _ = integer_case("pixelcnn")
    codec = MessageCodec(model)
    hidden = (
        codec.hide(bytes(2000), 2000, seed=3) if model.fixed_size else codec.hide(bytes(2000), 2000, (8, 8), seed=3)
    )
    samples = pt.sample(model, 2000, seed=4, size=hidden.levels.shape[2:])
    both = [hidden.nats, np.asarray(samples.nats)]
    error = np.sqrt(sum(x.var() / len(x) for x in both))
    assert abs(both[0].mean() - both[1].mean()) < 5 * error
    means = [x.reshape(2000, -1).mean(0) for x in (hidden.levels, np.asarray(samples.levels))]
    spread = np.sqrt(2 * np.asarray(samples.levels).reshape(2000, -1).var(0) / 2000) + 1e-3
    assert (abs(means[0] - means[1]) < 5 * spread).all()


def test_commands_hide_and_reveal(tmp_path: Path) -> None:
    """In each lossless output; what holds no message is answered by a sentence, and nothing is written."""
    letter, runner = tmp_path / "letter.txt", CliRunner()
    letter.write_bytes(b"Meet me at noon under the oak.")
    for out, model in (("map.png", "dungeons"), ("map.tmj", "dungeons"), ("pages", "digits"), ("m.npz", "digits")):
        arguments = ["hide", str(letter), "--in", model, "--out", str(tmp_path / out), "--seed", "1"]
        assert runner.invoke(app, arguments).exit_code == 0
        result = runner.invoke(app, ["reveal", str(tmp_path / out), "--in", model])
        assert result.stdout == "Meet me at noon under the oak."
    for arguments in (
        ["reveal", str(tmp_path / "map.png"), "--passphrase", "elm", "--in", "dungeons"],
        ["reveal", str(letter)],
    ):
        result = runner.invoke(app, arguments)
        assert (result.exit_code, result.stdout) == (2, "")
    letter.write_bytes(b"")
    result = runner.invoke(app, ["hide", str(letter), "--in", "dungeons", "--out", str(tmp_path / "no.png")])
    assert result.exit_code == 2
    assert not (tmp_path / "no.png").exists()
