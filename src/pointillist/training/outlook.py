"""What a run can give: sentences before it starts and after it ends, with the names of settings in backticks."""

from __future__ import annotations

from pointillist.data import ImageDataset
from pointillist.evaluation.lossless import LosslessSize

FEW_IMAGES, FEW_STEPS = 1000, 1000
"""Below these, samples of pictures are texture: measured in docs/decisions, 0043."""


def expectation(images: ImageDataset, steps: int) -> list[str]:
    """Say before a run what so few images or steps can give; empty where both are many."""
    few = []
    if len(images) < FEW_IMAGES:
        few.append(f"{len(images):,} image{'s' if len(images) != 1 else ''}")
    if steps < FEW_STEPS:
        few.append(f"{steps:,} step{'s' if steps != 1 else ''}")
    if not few:
        return []
    return [
        f"outlook    {' and '.join(few)} teach colours and textures, hardly shapes: "
        "those take thousands of images and steps"
    ]


def conclusion(
    images: ImageDataset, steps: int, best_step: int, bits_per_dim: float, lossless: LosslessSize | None
) -> list[str]:
    """Say after a run how it compares with a lossless codec, and what to try next."""
    lines = []
    if lossless is not None:
        better = "below" if bits_per_dim < lossless.bits_per_dim else "not yet below"
        lines.append(
            f"compare    {better} lossless {lossless.codec}, {lossless.bits_per_dim:.4f} bits/dim on "
            f"{'these validation images' if lossless.count > 1 else 'this validation image'}"
        )
    tries = []
    if best_step < 0.8 * steps:  # it has learned its images by heart since
        tries.append(f"more images or `flip` (the best step was {best_step:,}, so a longer run would not help)")
    else:
        tries.append(f"a longer run (`steps={4 * steps}`), as the last steps still helped")
        if len(images) < FEW_IMAGES:
            tries.append(f"more images than {len(images):,}")
    if steps < FEW_STEPS:
        tries.append("`preset=small`, which takes more steps in the same time")
    return [*lines, f"next       {'; '.join(tries)}"]
