"""What a model with clusters is told of them: that of an image, what it costs, and one drawn before a painting."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import CLUSTER, ClusterListener, Part, Told
from pointillist.drawing import draw, guide
from pointillist.pixel_model import PixelModel


def cluster_listener(model: PixelModel) -> ClusterListener | None:
    """What tells clusters apart; None in a model without."""
    listener = model.listeners.get(CLUSTER)
    return listener if isinstance(listener, ClusterListener) else None


def with_own_cluster(model: PixelModel, told: Told, x: Int[Tensor, "b c h w"]) -> Told:
    """What images are told, and their own cluster where none is told."""
    listener = cluster_listener(model)
    if listener is None:
        return told
    part = told.parts.get(CLUSTER) or listener.resolve(None, len(told), (1, 1))
    if bool(part.known.all()):
        return told
    # one image, told as many things as there are rows, is looked at once
    own = listener.of(x[:1] if len(x) and not x.stride(0) else x).to(part.values.device).expand(len(x))
    return _with(told, torch.where(part.known, part.values, own))


def cluster_log_prob(model: PixelModel, told: Told, guidance: float = 1.0) -> Float[Tensor, " b"]:
    """What the cluster that an image is told costs: log p(k | c) under guidance, in nats; 0 where none is told."""
    listener = cluster_listener(model)
    if listener is None:
        return torch.zeros(len(told), dtype=torch.float64)
    part, prior = told.parts[CLUSTER], listener.log_prior(told)
    if guidance != 1:
        prior = guide(prior, listener.log_prior(told.untold()), guidance)
    found = prior.gather(1, torch.where(part.known, part.values, 0).to(prior.device)[:, None])[:, 0]
    return torch.where(part.known.to(found.device), found, 0.0)


def draw_clusters(
    model: PixelModel, told: Told, uniforms: Float[np.ndarray, " n"], guidance: float, temperature: float, top_p: float
) -> tuple[Told, Float[Tensor, " n"]]:
    """What images are told, with a cluster drawn as a level is; and its log-probability, in nats.

    Of an image whose cluster is told already, that one stays, at no cost.
    """
    listener = cluster_listener(model)
    none = torch.zeros(len(told), dtype=torch.float64)
    if listener is None or bool(told.parts[CLUSTER].known.all()):
        return told, none
    prior = listener.log_prior(told).cpu()
    guided = guidance != 1 and told.anything
    both = torch.cat([prior, listener.log_prior(told.untold()).cpu()]) if guided else prior
    drawn, nats = draw(both, torch.from_numpy(uniforms), guidance, temperature, top_p, guided=guided)
    part = told.parts[CLUSTER]
    known = part.known.cpu()
    chosen = torch.where(known, part.values.cpu(), drawn).to(part.values.device)
    return _with(told, chosen), torch.where(known, none, nats)


def _with(told: Told, clusters: Int[Tensor, " b"]) -> Told:
    known = torch.ones(len(told), dtype=torch.bool, device=clusters.device)
    return Told(len(told), {**told.parts, CLUSTER: Part(clusters, known)})
