"""Find copies: the training image that agrees with a sample in most pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from pointillist.files.progress import Bar
from pointillist.images import OPAQUE, ImageSpec


def nearest_training_match(
    images: Int[np.ndarray, "n c h w"], training: Int[np.ndarray, "m c h w"], spec: ImageSpec
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Find the nearest training image of each image, by the share of pixels that agree in all channels.

    A pixel counts where at least one of the two images is not background; background is where the palette or alpha
    is transparent. Training images are also compared mirrored. Compare the shares of samples with shares of held-out
    images: a higher share means memorization.

    Args:
        images: levels of samples.
        training: levels of training images.
        spec: kind of image of both.

    Returns:
        the share of agreeing pixels in [0, 1], and the index of the training image.

    Example:
        share, index = nearest_training_match(pt.sample(model, 64).levels, train_levels, model.image)
        copies = (share >= 0.9).mean()
    """
    queries, keys = _flatten(images, spec), _flatten(np.concatenate([training, training[..., ::-1]]), spec)
    best, index = np.empty(len(images)), np.empty(len(images), np.int64)
    with Bar("comparing", len(images)) as bar:
        for i, (x, empty) in enumerate(zip(*queries, strict=True)):
            same = keys[0][:, 0] == x[0]
            for channel in range(1, len(x)):
                same &= keys[0][:, channel] == x[channel]
            counted = ~(keys[1] & empty)
            same &= counted
            # a sum of bytes as int32 is several times as fast as one as int64
            share = same.sum(1, dtype=np.int32) / np.maximum(counted.sum(1, dtype=np.int32), 1)
            nearest = int(share.argmax())
            best[i], index[i] = share[nearest], nearest % len(training)
            bar.show(i + 1)
    return best, index


def _flatten(
    x: Int[np.ndarray, "n c h w"], spec: ImageSpec
) -> tuple[Shaped[np.ndarray, "n c s"], Bool[np.ndarray, "n s"]]:
    """Return levels in the smallest integer type, and the mask of background pixels."""
    dtype = np.uint8 if spec.levels <= 256 else np.uint16
    flat = x.reshape(*x.shape[:2], -1).astype(dtype)
    return flat, _background(x, spec).reshape(len(x), -1)


def _background(x: Int[np.ndarray, "n c h w"], spec: ImageSpec) -> Bool[np.ndarray, "n h w"]:
    """Return the mask of transparent pixels; empty where the kind of image has no transparency."""
    if spec.mode == "palette" and spec.palette is not None:
        return np.asarray(np.array([colour[3] < OPAQUE for colour in spec.palette])[x[:, 0]])
    if spec.mode == "rgba":
        return np.asarray(x[:, 3] * 255 < OPAQUE * (spec.levels - 1))
    return np.zeros((len(x), *x.shape[2:]), bool)
