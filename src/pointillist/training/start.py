"""Before step 0: the first images set the weights of networks that want it."""

from __future__ import annotations

import numpy as np
import torch
from accelerate.utils import broadcast

from pointillist.data import ImageDataset
from pointillist.model.dataset_conditions import DatasetConditions
from pointillist.model.pixel_model import PixelModel
from pointillist.training.epoch_sampler import EpochSampler
from pointillist.training.optim import ExponentialMovingAverage

FIRST_IMAGES = 64


def initialise(
    model: PixelModel,
    data: ImageDataset,
    telling: DatasetConditions,
    order: EpochSampler,
    average: ExponentialMovingAverage,
) -> None:
    """Call `model.initialise` with the first images of the run, and let all processes start from the same weights.

    The images do not depend on the batch size or on how a step is shared out. A run that is resumed does not come here.
    """
    if not model.needs_data_init:
        return
    index = np.concatenate([part for _, part in order.read(0, min(FIRST_IMAGES, len(data)))])
    batch = data.batch(index)
    model.initialise(batch.levels.to(model.device), telling(batch))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(broadcast(parameter.detach().clone()))
            average.average[name].copy_(parameter)
