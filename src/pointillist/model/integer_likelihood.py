"""The distribution of a pixel under an integer program, as a likelihood of integer parameters."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.distributions.likelihoods import Likelihood
from pointillist.engine.executors import frequencies_of_sites
from pointillist.engine.head.frequencies import distribution, frequencies, log_probs
from pointillist.engine.head.mixture import component_weights, mean_and_scale
from pointillist.engine.head.tables import FINE_STEP, LOG_SCALE_STEP
from pointillist.engine.program import Program
from pointillist.engine.torch.integers import head_of


class IntegerLikelihood(Likelihood):
    """The frequencies of levels that an integer program draws from, given its parameters, int32 `[b p h w]`.

    Probabilities are frequencies divided by a power of two, so they sum to 1 exactly. Logarithms are those of numpy,
    so that they have the bits of `IntegerModel.log_prob_map`.

    ```python
    integer_model = model.integer_model()
    params = integer_model.params(x, integer_model.encode(None, len(x)))
    integer_model.likelihood.conditional(params, x, channel=0)  # log-probabilities [b k h w], float64
    ```

    Attributes:
        program: the integer program.
        mixtures: components of a mixture; 1 for other distributions.
    """

    def __init__(self, program: Program) -> None:
        head = program.head
        super().__init__(head.channels, head.levels)
        self.name = head.kind
        self.program, self.coupled, self.mixtures = program, head.kind == "mixture", max(1, head.mixtures)

    @property
    def num_params(self) -> int:
        return self.program.params.channels

    def frequencies(
        self, params: Int[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Int[Tensor, "b k h w"]:
        """Compute the frequencies of all levels of one channel, given `x[:, :channel]` of the pixel."""
        rows, pixels = (each.movedim(1, -1).flatten(0, -2).contiguous() for each in (params, x))
        if rows.device.type == "cpu":
            result = torch.from_numpy(frequencies_of_sites(self.program, rows.numpy(), pixels.numpy(), channel))
        else:
            result = frequencies(head_of(self.program, rows.device), rows, pixels, channel)
        return result.view(len(x), *x.shape[2:], self.levels).movedim(-1, 1)

    def log_prob(self, params: Int[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats, float64."""
        head, rows, pixels = head_of(self.program, params.device), params.movedim(1, -1), x.movedim(1, -1)
        if head.has_table:
            chosen = [self.frequencies(params, x, i).gather(1, x[:, i : i + 1]) for i in range(self.channels)]
            return self._logs(torch.cat(chosen, 1))
        sizes = [distribution(head, rows, pixels, i).interval(pixels[..., i])[1] for i in range(self.channels)]
        return self._logs(torch.stack(sizes, 1))

    def conditional(
        self, params: Int[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats, float64."""
        return self._logs(self.frequencies(params, x, channel))

    def probs(
        self, params: Int[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the probabilities of all levels of one channel, float64."""
        return self.frequencies(params, x, channel).double() / 2.0**self.program.head.precision

    def components(
        self, params: Int[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> tuple[Float[Tensor, "b m h w"], Float[Tensor, "b m h w"], Float[Tensor, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a mixture, as `DiscretizedLogisticMixture`."""
        head, numbers, pixel = head_of(self.program, params.device), params.movedim(1, -1).long(), x.movedim(1, -1)
        weights = component_weights(head, numbers, pixel, channel).double()
        position, log_scale = mean_and_scale(head, numbers, pixel, channel)
        parts = (
            (weights / weights.sum(-1, keepdim=True)).log(),
            position * (FINE_STEP / (self.levels - 1)) - 1,
            log_scale * LOG_SCALE_STEP,
        )
        log_weight, mean, scale = (part.double().movedim(-1, 1) for part in parts)
        return log_weight, mean, scale

    def _logs(self, sizes: Int[Tensor, ...]) -> Float[Tensor, ...]:
        result = log_probs(sizes.cpu().numpy(), self.program.head.precision)
        return torch.from_numpy(result).to(sizes.device)
