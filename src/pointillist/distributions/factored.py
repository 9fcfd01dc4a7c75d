"""A softmax over very many levels, in two factors: the high and the low digit of a level."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.distributions.kinds import LikelihoodKind, digits
from pointillist.distributions.likelihoods import Likelihood, at_least_float32
from pointillist.images.array_types import Float, Int


class FactoredCategorical(Likelihood):
    """A mixture of products of two softmaxes, over the high digit `h` and the low digit `l` of a level `h L + l`.

        p(h, l) = sum_m w_m p_m(h) p_m(l)

    Each product has its digits independent, so it takes `H + L` numbers where a softmax takes `H L`. Their mixture (of
    softmaxes, Yang et al. 2018, arXiv 1711.03953) couples the digits: it is p(h) p(l | h), and p(l | h) weights
    the components by their probabilities given `h`. Where the last high digit has fewer low digits, its p_m(l) is
    renormalised over them, so that no probability falls outside the levels.

    Parameters of each channel: log-weights `m`, then logits of the high digit `m H`, then of the low digit `m L`.

    Example:
        likelihood = FactoredCategorical(channels=1, levels=65_536)
        likelihood.num_params  # 5,130
    """

    high: int
    low: int
    rest: int

    name: LikelihoodKind = "factored"

    def __init__(self, channels: int, levels: int, mixtures: int = 10) -> None:
        super().__init__(channels, levels)
        self.mixtures = mixtures
        self.high, self.low, self.rest = digits(levels)

    def log_prob(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute log sum_m w_m p_m(h) p_m(l) at the true level, in nats."""
        params = at_least_float32(params)
        result = []
        for channel in range(self.channels):
            weights, high, low, last = self._factors(params, channel)
            top, bottom = (
                digit[:, None, None].expand(-1, self.mixtures, -1, -1, -1) for digit in self._split(x[:, channel])
            )
            low = torch.where(top == self.high - 1, last, low) if self.rest < self.low else low
            joint = weights + high.gather(2, top)[:, :, 0] + low.gather(2, bottom)[:, :, 0]
            result.append(joint.logsumexp(1))
        return torch.stack(result, 1)

    def conditional(
        self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"], channel: int
    ) -> Float[Tensor, "b k h w"]:
        """Compute the log-probabilities of all levels of `channel`, in nats, one component at a time."""
        weights, high, low, last = self._factors(at_least_float32(params), channel)
        table: Tensor | None = None
        for m in range(self.mixtures):
            scaled = weights[:, m, None] + high[:, m]
            whole = (scaled[:, :-1, None] + low[:, m, None]).flatten(1, 2)
            part = torch.cat([whole, scaled[:, -1:] + last[:, m, : self.rest]], 1)
            table = part if table is None else torch.logaddexp(table, part)
        assert table is not None
        return table

    def _split(self, levels: Int[Tensor, "b h w"]) -> tuple[Tensor, Tensor]:
        return levels // self.low, levels % self.low

    def _factors(self, params: Tensor, channel: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return log-weights `b m h w`, log-probabilities of high and low digits `b m k h w`, and of low digits under
        the last high digit."""
        m, width = self.mixtures, self.mixtures * (1 + self.high + self.low)
        part = params[:, channel * width : (channel + 1) * width]
        weights, high, low = torch.split(part, [m, m * self.high, m * self.low], 1)
        low = low.reshape(len(low), m, self.low, *low.shape[2:])
        last = low
        if self.rest < self.low:  # levels that do not exist get no probability
            last = torch.cat([low[:, :, : self.rest], torch.full_like(low[:, :, self.rest :], -torch.inf)], 2)
        high = high.reshape(len(high), m, self.high, *high.shape[2:]).log_softmax(2)
        return weights.log_softmax(1), high, low.log_softmax(2), last.log_softmax(2)
