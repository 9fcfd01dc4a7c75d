"""Single-pixel moves: change one unknown sub-pixel of a completion, and keep the change with the right probability.

Sub-pixel i and its new level v are proposed together, in proportion to the model's conditional p(x_i = v | earlier),
over all unknown i and all v but the present one. With S(x) = sum over i of 1 - p(x_i | earlier), the change of x into
x' is accepted with probability

    min(1, S(x) / S(x')  product over later sub-pixels j of p(x'_j | earlier) / p(x_j | earlier))

So the exact conditional of the unknown sub-pixels stays as it is, completions that come from the same particle become
different, and no move is spent on a sub-pixel that is certain. This is the Metropolised Gibbs sampler of Liu 1996
("Peskun's theorem and a modified discrete-state Gibbs sampler", eq. 3), with sites chosen by how uncertain they are
(Zanella 2020, "Informed proposals for local MCMC in discrete spaces").
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.completion.task import CompletionTask
from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.model.pixel_model import inference_mode
from pointillist.nn import Condition
from pointillist.system import single_threaded


def move_sub_pixels(
    task: CompletionTask, levels: Int[Tensor, "n c h w"], inputs: ConditionInputs, rng: np.random.Generator
) -> tuple[Int[Tensor, "n c h w"], float | None]:
    """Propose `task.moves` changes to each completion, or one less, each of one unknown sub-pixel.

    Every proposal is a change, so where nearly all are accepted a fixed number of them would have period 2.

    Returns:
        the completions, and the share of accepted changes; None where nothing is unknown.
    """
    if task.known.all():
        return levels, None
    count, accepted, tried = len(levels), 0, 0
    with inference_mode(task.model), single_threaded():
        chain = _Chain(task, task.model.encode(inputs, count))
        state = chain.state(levels.to(task.model.device))
        for number in range(task.moves):
            if task.on_row is not None:
                task.on_row(number, state.levels)
            changed = chain.state(chain.propose(state, rng))
            ratio = changed.nats - state.nats - chain.log_odds + state.log_total - changed.log_total
            proposed = torch.from_numpy(rng.random(count) < (1 if number else 0.5))
            keep = proposed.to(ratio.device) & (torch.from_numpy(rng.random(count)).log().to(ratio.device) < ratio)
            if task.mask is not None and task.mask.propagates:
                obeys = task.mask.holds(changed.levels[:, 0].flatten(1).cpu().numpy())
                keep &= torch.from_numpy(obeys).to(keep.device)
            accepted, tried = accepted + int(keep.sum()), tried + int(proposed.sum())
            state = state.replaced(changed, keep)
    return state.levels.cpu(), accepted / tried if tried else None


class _State:
    """Completions, their network outputs, and how likely each unknown sub-pixel is to have another level."""

    def __init__(self, levels: Tensor, params: Tensor, nats: Tensor, others: Tensor) -> None:
        self.levels, self.params, self.nats, self.others = levels, params, nats, others

    @property
    def log_total(self) -> Float[Tensor, " n"]:
        """Logarithm of S."""
        return self.others.sum(1).log()

    def replaced(self, other: _State, keep: Tensor) -> _State:
        """Take the images of another state where `keep` is set."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _State(*(torch.where(keep.view(-1, *[1] * (a.ndim - 1)), b, a) for a, b in pairs))


class _Chain:
    """Proposals for a task."""

    def __init__(self, task: CompletionTask, condition: Condition) -> None:
        self.task, self.condition = task, condition
        self.sites = torch.from_numpy(np.argwhere(~task.known))
        allowed = None if task.allowed is None else torch.from_numpy(np.array(task.allowed))
        self.allowed = None if allowed is None else allowed.to(task.model.device)
        self.log_odds = torch.zeros(0)

    def state(self, x: Int[Tensor, "n c h w"]) -> _State:
        """Score completions."""
        model = self.task.model
        params = model.params(x, self.condition, self.task.order)
        maps = model.likelihood.log_prob(params, x).double()
        others = self._mass(params, x) - maps[:, *self.sites.T].exp()
        return _State(x, params, maps.flatten(1).sum(1), others.clamp(min=0))

    def propose(self, state: _State, rng: np.random.Generator) -> Int[Tensor, "n c h w"]:
        """Change one sub-pixel of each completion; `log_odds` is by how much its new level is likelier by itself."""
        model, x = self.task.model, state.levels
        images = torch.arange(len(x))
        uniforms = torch.from_numpy(rng.random((2, len(x))))
        certain = torch.full_like(state.others, -torch.inf)
        chosen = inverse_cdf(torch.where(state.others > 0, state.others.log(), certain).cpu(), uniforms[0])
        channel, row, column = self.sites[chosen].T
        pixel = x[images, :, row, column][:, :, None, None]
        params = state.params[images, :, row, column][:, :, None, None]
        log_probs = torch.zeros(len(x), model.image.levels, dtype=torch.float64, device=x.device)
        for each in torch.unique(channel).tolist():
            log_probs[channel == each] = model.likelihood.conditional(params, pixel, each)[
                channel == each, :, 0, 0
            ].double()
        present = x[images, channel, row, column]
        others = log_probs.scatter(1, present[:, None], -torch.inf)
        if self.allowed is not None:
            others = others.masked_fill(~self.allowed[channel, row, column], -torch.inf)
        new = inverse_cdf(others.cpu(), uniforms[1]).to(x.device)
        result = log_probs.gather(1, torch.stack([present, new], 1))
        self.log_odds = result[:, 1] - result[:, 0]
        changed = x.clone()
        changed[images, channel, row, column] = new
        return changed

    def _mass(self, params: Tensor, x: Tensor) -> Float[Tensor, "n s"] | float:
        """Probability of the allowed levels of each unknown sub-pixel."""
        if self.allowed is None:
            return 1.0
        maps = [
            (self.task.model.likelihood.probs(params, x, c).double() * self.allowed[c].permute(2, 0, 1)).sum(1)
            for c in range(x.shape[1])
        ]
        return torch.stack(maps, 1)[:, *self.sites.T]
