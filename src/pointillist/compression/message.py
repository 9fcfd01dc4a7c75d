"""Hide bytes in pictures: any bits, decoded by the distribution of a model, are a sample of it, and its code the bits.

    stream   4 random bytes | length (3 bytes) | tag (4 bytes) | message | random bytes up to the end of the pictures

What follows the first four bytes is combined with a keystream (exclusive or), so that all of it looks random and the
pictures are distributed as samples. The key is PBKDF2-HMAC-SHA256 of the passphrase, salted by the fingerprint of the
model; the keystream is one iteration of it, salted by the first four bytes, and the tag is the beginning of the HMAC
of the message. That hides a message from who does not have the passphrase, and does not replace encryption.

One range decoder fills all pictures in lockstep, as it fills the pictures of a record of an archive.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pointillist.compression.codec import RangeEncoder
from pointillist.data.options import parse_size
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.head.range_decoder import ALL_REST, RangeDecoder
from pointillist.engine.program import IntArray
from pointillist.errors import DataError, Range, counted, optional
from pointillist.files.suggestions import arguments, checked_keywords
from pointillist.images.array_types import Float
from pointillist.images.pictures import sum_images
from pointillist.model.folder.opening import open_any_program
from pointillist.model.portable import ProgramModel

SALT, LENGTH, TAG = 4, 3, 4
"""Bytes of the fields of the stream before the message."""
LONGEST = (1 << 8 * LENGTH) - 1
ITERATIONS = 600_000
"""Of PBKDF2: so that who guesses passphrases takes half a second for each (OWASP 2023)."""
GROWTH, SLACK = 8, 1.05
"""How many times as large the pictures become in a step at most, and the room that they have beyond what fits."""


@checked_keywords
@arguments(n=optional(Range(1)), seed=optional(Range(0)))
def hide(
    model: Any,
    data: bytes,
    n: int | None = None,
    label: Any = None,
    text: Any = None,
    *,
    passphrase: str = "",
    size: Any = None,
    seed: int | None = None,
) -> IntArray:
    """Hide bytes in pictures, which are samples of the model; `reveal` gives the bytes back on any machine.

    This does not encrypt: encrypt first what must stay secret.

    Args:
        model: a model with an integer program (`quantize_integer`), its name or its folder.
        data: at least one byte.
        n: number of pictures; None for as many as it takes, or one that grows where the model takes any size.
        label, text: conditions of the pictures, as for `log_prob`; `reveal` needs the same.
        passphrase: without it the bytes are not found.
        size: height and width of the pictures; None for the model's own, or as large as it takes.
        seed: the same pictures for the same bytes; None for others each time.

    Returns:
        Levels of the pictures.

    Raises:
        DataError: if there are no bytes, or too many for the pictures that are asked for.
        ConfigError, EngineError, ShapeError: naming what is wrong with a setting or the model.

    Example:
        ```python
        levels = pt.hide("digits", b"meet me at noon", passphrase="oak")
        pt.reveal("digits", levels, passphrase="oak")  # b"meet me at noon"
        ```
    """
    return MessageCodec(open_any_program(model), label, text, passphrase).hide(data, n, size, seed).levels


@checked_keywords
def reveal(model: Any, images: Any, label: Any = None, text: Any = None, *, passphrase: str = "") -> bytes:
    """Return the bytes that `hide` hid in pictures.

    Args:
        model: the model, in the state that it had.
        images: levels `[n, c, h, w]`, `Samples`, or pictures, in their order.
        label, text, passphrase: as for `hide`.

    Raises:
        DataError: if they hold no message by these arguments.
        ShapeError: if the images do not fit the model.

    Example:
        ```python
        pt.reveal("digits", pt.hide("digits", b"noon"))  # b"noon"
        ```
    """
    integer_model = open_any_program(model)
    levels = integer_model.check_array(getattr(images, "levels", images))
    return MessageCodec(integer_model, label, text, passphrase).reveal(levels)


class Hidden(NamedTuple):
    """Pictures that hold a message.

    Attributes:
        levels: `[n, c, h, w]`.
        nats: log-likelihood of each picture, `[n]`.
        held: bytes that the pictures determine, of the message and around it.
    """

    levels: IntArray
    nats: Float[np.ndarray, " n"]
    held: int


@dataclass(frozen=True)
class MessageCodec:
    """Hide bytes in pictures of a model under conditions, and find them.

    ```python
    MessageCodec(model, passphrase="oak").hide(b"noon").levels
    ```

    Attributes:
        model: the model.
        label, text: conditions, one for all pictures or one each.
        passphrase: of the key.
    """

    model: ProgramModel
    label: Any = None
    text: Any = None
    passphrase: str = ""

    def hide(self, data: bytes, n: int | None = None, size: Any = None, seed: int | None = None) -> Hidden:
        """Hide bytes; see the function `hide`."""
        if not 0 < len(data) <= LONGEST:
            raise DataError(f"The message has {len(data):,} bytes: give 1 to {LONGEST:,}.")
        draw = secrets.token_bytes if seed is None else np.random.default_rng(seed).bytes
        salt = draw(SALT)
        stream = salt + self._masked(len(data).to_bytes(LENGTH, "big") + self._tag(data) + data, salt)
        count, image = n or 1, self.model.image
        height, width = (image.height, image.width) if size is None else parse_size(size)
        grows = size is None and not self.model.fixed_size
        while (result := self._draw(stream, draw, count, (height, width))).held < len(stream):
            if not grows and n is not None:
                raise DataError(
                    f"The message takes {len(stream):,} bytes, and {counted(count, 'picture')} of {height}x{width} "
                    f"{'holds' if count == 1 else 'hold'} {result.held:,}: give more, larger ones, or leave it open."
                )
            factor = min(GROWTH, SLACK * len(stream) / max(1, result.held))
            if grows:
                height, width = (math.ceil(side * math.sqrt(factor)) for side in (height, width))
            else:
                count = math.ceil(count * factor)
        return result

    def _draw(self, stream: bytes, draw: Callable[[int], bytes], count: int, size: tuple[int, int]) -> Hidden:
        """Decode a stream and random bytes after it into pictures."""
        order, inputs = self.model.order(), self._inputs(count, size)
        sites, precision = np.ones((count, *order.raster_size(*size)), bool), self.model.program(order).head.precision
        most = sites.size * self.model.image.channels * precision // 8 + 16
        words = np.frombuffer((stream + draw(most))[: most // 4 * 4], ">u4").astype("<u4").tobytes()
        decoders = [RangeDecoder(words, ALL_REST)]
        levels = self.model.decode(sites, decoders, np.zeros(count, np.int64), inputs, order)
        code, sizes = self._encode(levels)
        return Hidden(levels, sum_images(log_probs(sizes, precision)), len(code))

    def _encode(self, levels: IntArray) -> tuple[bytes, IntArray]:
        """Return the bytes that pictures determine, and the frequencies of their levels."""
        order, encoder = self.model.order(), RangeEncoder(ALL_REST)
        inputs = self._inputs(len(levels), levels.shape[2:])
        starts, sizes = self.model.intervals(levels, inputs, order)
        first, size = (order.sequence(array).reshape(-1) for array in (starts, sizes))
        encoder.add_intervals(first, size, self.model.program(order).head.precision)
        return encoder.common(), sizes

    def _inputs(self, count: int, size: tuple[int, ...]) -> dict[str, IntArray]:
        height, width = size
        inputs = self.model.conditions.inputs(self.label, count, self.text, size=(height, width))
        return self.model.encode(inputs, count, (height, width), self.model.order())

    def reveal(self, levels: IntArray) -> bytes:
        """Return the message of pictures; see the function `reveal`."""
        code, _ = self._encode(levels)
        fields = self._masked(code[SALT:], code[:SALT])
        end = LENGTH + TAG + int.from_bytes(fields[:LENGTH], "big")
        data = fields[LENGTH + TAG : end]
        if not data or end > len(fields) or fields[LENGTH : LENGTH + TAG] != self._tag(data):
            raise DataError(
                "No message is found: the passphrase, the model or its conditions are others than it was hidden with, "
                "or the pictures are incomplete, scaled or repainted, or never held one."
            )
        return data

    def _tag(self, data: bytes) -> bytes:
        return hmac.digest(_key(self.passphrase, self.model.fingerprint), data, "sha256")[:TAG]

    def _masked(self, data: bytes, salt: bytes) -> bytes:
        """Return bytes combined with the keystream, which is undone by doing it again."""
        stream = hashlib.pbkdf2_hmac("sha256", _key(self.passphrase, self.model.fingerprint), salt, 1, len(data) or 1)
        return (np.frombuffer(data, np.uint8) ^ np.frombuffer(stream, np.uint8)[: len(data)]).tobytes()


@lru_cache(64)
def _key(passphrase: str, fingerprint: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), bytes.fromhex(fingerprint), ITERATIONS)
