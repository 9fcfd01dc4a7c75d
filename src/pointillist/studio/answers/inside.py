"""Results of queries about the inside of a network: receptive field, layers, activations. They need torch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from pointillist.analysis.query import with_weights
from pointillist.errors import ConfigError
from pointillist.model.protocols import LikelihoodModel
from pointillist.studio import schemas
from pointillist.studio.conversion import decode_query, encode_floats
from pointillist.studio.model_pool import PooledModel

if TYPE_CHECKING:
    from torch import Tensor

    from pointillist.model.pixel_model import PixelModel

_MOST_FIELDS = 4096  # that are kept for a model


def field(entry: PooledModel, query: schemas.FieldQuery) -> schemas.FieldReach:
    """Measure the receptive field of a pixel, or return the one that was measured before.

    Raises:
        ConfigError, ShapeError: if the image has no such pixel, or the model takes no such image.
    """
    loaded = entry.loaded
    with entry.field_lock:
        if query not in loaded.fields:
            if len(loaded.fields) >= _MOST_FIELDS:
                loaded.fields.clear()
            with entry.query_lock:  # so that the hooks of another query are not copied with the model
                probe = copy.deepcopy(with_weights(loaded.model))
            loaded.fields[query] = _measure(probe, query)
        return loaded.fields[query]


def _measure(model: PixelModel, query: schemas.FieldQuery) -> schemas.FieldReach:
    from pointillist.analysis.receptive_field import dependence

    size = (query.height, query.width)
    result = dependence(model, query.row, query.column, size=size, order=query.order)
    depends, earlier = (np.asarray(mask.any(0)) for mask in result)
    earlier[query.row, query.column] = False  # its own channels
    seen = depends & earlier
    reach = schemas.EncodedArray.of(np.where(seen, 2, earlier), "uint8")
    return schemas.FieldReach(reach=reach, seen=int(seen.sum()), earlier=int(earlier.sum()))


def layers(model: LikelihoodModel, query: schemas.CanvasQuery, limits: schemas.Limits) -> schemas.LayerReadings:
    """Read the output head after each layer.

    Raises:
        ConfigError: if layers of this network cannot be left out.
    """
    image = decode_query(model, query, limits)
    image.pixel_model()  # says so where torch is missing
    from pointillist.analysis.layers import logit_lens

    lens = logit_lens(image)
    return schemas.LayerReadings(names=list(lens.names), surprisal=encode_floats(lens.surprisal.sum(1)))


def activation(model: LikelihoodModel, query: schemas.ActivationQuery, limits: schemas.Limits) -> schemas.ActivationMap:
    """Run the network on an image and return one of its activations.

    Raises:
        ConfigError: if there is none of that name.
    """
    image = decode_query(model, query, limits)
    backbone = image.pixel_model().backbone  # says so where torch is missing
    from pointillist.analysis.layers import Network
    from pointillist.model.hooks import with_hooks

    names: list[str] = []
    recorded: dict[str, Tensor] = {}

    def hook(value: Tensor, name: str) -> None:
        if value.ndim != 4 or value.shape[-2:] != image.x.shape[-2:]:
            return  # on a coarser grid, or not of pixels
        names.append(name)
        if name == query.name or (query.name is None and not recorded):
            recorded[name] = value.detach()[:1].float()

    with with_hooks(backbone, hook):
        Network(image).run()
    if not recorded:
        raise ConfigError(
            f"There is no activation {str(query.name)[:100]!r}: `names` lists them; null takes the first."
        )
    ((name, value),) = recorded.items()
    size = value[0].square().mean(0).sqrt().cpu().numpy()
    return schemas.ActivationMap(
        names=names, name=name, features=value.shape[1], size=encode_floats(size), top=float(np.max(size))
    )
