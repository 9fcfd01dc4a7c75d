"""Before step 0: clusters are made, and the first images set the weights of networks that want it."""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from rich.console import Console

from pointillist.clusters import cluster_listener
from pointillist.data import ImageDataset
from pointillist.pixel_model import PixelModel
from pointillist.telling import Telling
from pointillist.training.align import align
from pointillist.training.config import TrainConfig
from pointillist.training.journal import counting
from pointillist.training.optim import AveragedWeights
from pointillist.training.order import Order

FIRST_IMAGES = 64


def make_clusters(
    model: PixelModel, data: ImageDataset, config: TrainConfig, accelerator: Accelerator, console: Console | None
) -> None:
    """Make the clusters of a model that has none yet; see `training.align`.

    Every process does, as one that waited for minutes could be taken for lost, and those of the first are kept. A run
    that is resumed does not come here: they are among its weights.
    """
    listener = cluster_listener(model)
    if listener is None or listener.fitted:
        return
    model.to(accelerator.device)
    with counting(console, "clusters") as report:
        align(model, data, config, report)
    with torch.no_grad():
        for weight in listener.parameters():
            weight.copy_(broadcast(weight.detach().clone()))


def initialise(model: PixelModel, data: ImageDataset, telling: Telling, order: Order, average: AveragedWeights) -> None:
    """Call `model.initialise` with the first images of the run, and let all processes start from the same weights.

    The images do not depend on the batch size or on how a step is shared out. A run that is resumed does not come here.
    """
    if not model.wants_first_batch:
        return
    index = np.concatenate([part for _, part in order.read(0, min(FIRST_IMAGES, len(data)))])
    batch = data.batch(index)
    model.initialise(batch.levels.to(model.device), telling(index, batch))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(broadcast(parameter.detach().clone()))
            average.average[name].copy_(parameter)
