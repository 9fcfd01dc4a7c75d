"""The first images of a run set the weights of networks that want it, before step 0."""

from __future__ import annotations

import numpy as np
import torch
from accelerate.utils import broadcast
from torch import Tensor

from pointillist.data import ImageDataset
from pointillist.pixel_model import PixelModel
from pointillist.training.optim import AveragedWeights
from pointillist.training.order import Order

FIRST_IMAGES = 64


def initialise(model: PixelModel, data: ImageDataset, labels: Tensor, order: Order, average: AveragedWeights) -> None:
    """Call `model.initialise` with the first images of the run, and let all processes start from the same weights.

    The images do not depend on the batch size or on how a step is shared out. A run that is resumed does not come here.
    """
    if not model.wants_first_batch:
        return
    index = np.concatenate([part for _, part in order.read(0, min(FIRST_IMAGES, len(data)))])
    told = labels[index].to(model.device) if model.config.classes else None
    model.initialise(data.batch(index).levels.to(model.device), told)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(broadcast(parameter.detach().clone()))
            average.average[name].copy_(parameter)
