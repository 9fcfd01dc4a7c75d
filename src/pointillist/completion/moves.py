"""Single-pixel moves: change one unknown sub-pixel of a completion, and keep the change with the right probability.

A level is proposed from the model's own conditional p(x_i | earlier), and accepted with probability

    min(1, product over later sub-pixels j of p(x_j | proposal) / p(x_j | present))

(Metropolis & Hastings within Gibbs; Hastings 1970). So the exact conditional of the unknown sub-pixels stays as it is,
and completions that come from the same particle become different.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.completion.task import CompletionTask
from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.model.pixel_model import inference_mode


def move_sub_pixels(
    task: CompletionTask, levels: Int[Tensor, "n c h w"], inputs: ConditionInputs, rng: np.random.Generator
) -> tuple[Int[Tensor, "n c h w"], float | None]:
    """Propose `task.moves` changes to each completion, each of a random unknown sub-pixel.

    Returns:
        the completions, and the share of accepted changes; None where nothing is unknown.
    """
    unknown = np.argwhere(~task.known)
    if not len(unknown):
        return levels, None
    model, device = task.model, task.model.device
    x, count, accepted = levels.to(device), len(levels), 0
    with inference_mode(model):
        condition = model.encode(inputs, count)

        def score(x: Tensor) -> tuple[Tensor, Tensor]:
            params = model.params(x, condition, task.order)
            return params, model.likelihood.log_prob(params, x).double().flatten(1).sum(1)

        params, nats = score(x)
        for _ in range(task.moves):
            # one channel at a time, whose conditional is read for every image at once
            channel = int(unknown[rng.integers(len(unknown)), 0])
            sites = np.argwhere(~task.known[channel])[rng.integers(0, (~task.known[channel]).sum(), count)]
            here = (torch.arange(count), *torch.from_numpy(sites).T)
            own_params = params[here[0], :, here[1], here[2]][:, :, None, None]
            pixel = x[here[0], :, here[1], here[2]][:, :, None, None]
            log_probs = model.likelihood.conditional(own_params, pixel, channel)[:, :, 0, 0]
            log_probs = _allowed_only(log_probs.double(), task, channel, sites)
            proposal = inverse_cdf(log_probs.cpu(), torch.from_numpy(rng.random(count))).to(device)
            present = pixel[:, channel, 0, 0]
            changed = x.clone()
            changed[here[0], channel, here[1], here[2]] = proposal
            new_params, new_nats = score(changed)
            own = log_probs.gather(1, torch.stack([present, proposal], 1))
            ratio = (new_nats - nats) - (own[:, 1] - own[:, 0])
            keep = torch.from_numpy(rng.random(count)).log().to(device) < ratio
            accepted += int(keep.sum())
            wide = keep[:, None, None, None]
            x, params = torch.where(wide, changed, x), torch.where(wide, new_params, params)
            nats = torch.where(keep, new_nats, nats)
    return x.cpu(), accepted / (count * task.moves)


def _allowed_only(
    log_probs: Float[Tensor, "n k"], task: CompletionTask, channel: int, sites: np.ndarray
) -> Float[Tensor, "n k"]:
    """Leave out levels that are not allowed; the proposal of a level and of the present one lose the same share."""
    if task.allowed is None:
        return log_probs
    allowed: Bool[Tensor, "n k"] = torch.from_numpy(task.allowed[channel, sites[:, 0], sites[:, 1]])
    return log_probs.masked_fill(~allowed.to(log_probs.device), -torch.inf)
