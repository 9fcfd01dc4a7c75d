"""Single-pixel moves: change one unknown sub-pixel of a completion, and keep the change with the right probability.

Sub-pixel i and its new level v are proposed together, in proportion to the model's conditional p(x_i = v | earlier),
over all unknown i and all v but the present one. With S(x) = sum over i of 1 - p(x_i | earlier), the change of x into
x' is accepted with probability

    min(1, S(x) / S(x')  product over later sub-pixels j of p(x'_j | earlier) / p(x_j | earlier))

So the exact conditional of the unknown sub-pixels stays as it is, completions that come from the same particle become
different, and no move is spent on a sub-pixel that is certain. This is the Metropolised Gibbs sampler of Liu 1996
("Peskun's theorem and a modified discrete-state Gibbs sampler", eq. 3), with sites chosen by how uncertain they are
(Zanella 2020, "Informed proposals for local MCMC in discrete spaces").

Under an integer program probabilities are frequencies over a power of two, so that sums of them are exact, and products
are rounded as IEEE 754 defines: every platform makes the same moves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pointillist.conditioning import ConditionInputs
from pointillist.engine.particles import Scaled
from pointillist.engine.program import IntArray
from pointillist.images.array_types import Float, Int
from pointillist.model.protocols import Distributions
from pointillist.sampling.draws import Draws

_AT_ONCE = 2**22
"""Probabilities of levels that are computed together."""
_FACTORS = 32
"""Frequencies over 2^24 whose product does not underflow."""


def move_sub_pixels(
    draws: Draws, levels: Int[np.ndarray, "n c h w"], inputs: ConditionInputs, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "n c h w"], float | None]:
    """Propose `moves` changes to each completion, or one less, each of one unknown sub-pixel.

    Every proposal is a change, so where nearly all are accepted a fixed number of them would have period 2.

    Returns:
        the completions, and the share of accepted changes; None where nothing is unknown.
    """
    if draws.known.all():
        return levels, None
    count, accepted, tried = len(levels), 0, 0
    chain = _Chain(draws, inputs)
    state = chain.state(levels)
    for number in range(draws.request.moves):
        if draws.on_row is not None:
            draws.on_row(number, state.levels)
        changed, odds = chain.propose(state, rng)
        after = chain.state(changed)
        proposed = rng.random(count) < (1 if number else 0.5)
        keep = proposed & (rng.random(count) < state.ratio(after, odds))
        if draws.mask is not None and draws.mask.propagates:
            keep &= draws.mask.allows(changed[:, 0].reshape(count, -1))
        accepted, tried = accepted + int(keep.sum()), tried + int(proposed.sum())
        state = state.replaced(after, keep)
    return state.levels, accepted / tried if tried else None


class _State:
    """Distributions of completions, their probability, and that each unknown sub-pixel has another level."""

    def __init__(self, distributions: Distributions, probability: Scaled, others: Float[np.ndarray, "n sites"]) -> None:
        self.distributions, self.probability, self.others = distributions, probability, others
        self.levels: Int[np.ndarray, "n c h w"] = distributions.x

    def ratio(self, after: _State, odds: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return p(x') / p(x) S(x) / S(x') over the odds of the new level against the old one."""
        before, then = self.probability, after.probability
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = then.mantissas / before.mantissas / odds
            ratio = ratio * (_total(self.others) / _total(after.others))
        shift = (then.exponents - before.exponents).clip(-2000, 1000)
        return np.asarray(np.ldexp(ratio, shift.astype(np.int32)))

    def replaced(self, other: _State, keep: np.ndarray) -> _State:
        """Take the images of another state where `keep` is set."""
        mine, chosen = self.probability, keep[:, None, None, None]
        probability = Scaled(
            np.where(keep, other.probability.mantissas, mine.mantissas),
            np.where(keep, other.probability.exponents, mine.exponents),
        )
        return _State(
            replace(
                self.distributions,
                params=np.where(chosen, other.distributions.params, self.distributions.params),
                x=np.where(chosen, other.levels, self.levels),
            ),
            probability,
            np.where(keep[:, None], other.others, self.others),
        )


class _Chain:
    """Proposals for completions, by the distribution of its engine."""

    def __init__(self, draws: Draws, inputs: ConditionInputs) -> None:
        self.draws, self.inputs, self.scorer = draws, inputs, draws.scorer
        self.in_integers: bool = self.scorer.engine == "integer"
        self.sites = np.argwhere(~draws.known)
        self.allowed = draws.allowed

    def state(self, levels: Int[np.ndarray, "n c h w"]) -> _State:
        """Score completions."""
        distributions, count = self.scorer.distributions(levels, self.inputs, self.draws.order), len(levels)
        step = max(1, _AT_ONCE // (levels[0].size * self.draws.model.image.levels))
        parts = [self._probabilities(distributions[i : i + step]) for i in range(0, count, step)]
        chosen, mass = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        probability = Scaled.ones(count)
        if self.in_integers:
            flat = chosen.reshape(len(chosen), -1)
            for start in range(0, flat.shape[1], _FACTORS):
                factor = np.ones(len(flat))
                for column in flat[:, start : start + _FACTORS].T:
                    factor = factor * column
                probability.multiply(factor)
        else:
            probability.multiply_exp(distributions.log_prob().reshape(count, -1).sum(1))
        return _State(distributions, probability, (mass - chosen[:, *self.sites.T]).clip(min=0))

    def propose(
        self, state: _State, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, "n c h w"], Float[np.ndarray, " n"]]:
        """Change one sub-pixel of each completion; return how much likelier each new level is than the old one."""
        images, uniforms = np.arange(len(state.levels)), rng.random((2, len(state.levels)))
        channel, row, column = self.sites[_pick(state.others, uniforms[0])].T
        probs = self._tables(state, images, channel, row, column)
        x = state.levels
        present, others = x[images, channel, row, column], probs.copy()
        others[images, present] = 0
        if self.allowed is not None:
            others *= self.allowed[channel, row, column]
        new = _pick(others, uniforms[1])
        changed = state.levels.copy()
        changed[images, channel, row, column] = new
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = probs[images, new] / probs[images, present]
        return changed, odds

    def _tables(
        self, state: _State, images: IntArray, channel: IntArray, row: IntArray, column: IntArray
    ) -> Float[np.ndarray, "n k"]:
        """Return the probabilities of all levels of one sub-pixel of each completion."""
        result = np.empty((len(images), self.draws.model.image.levels))
        pixels = state.distributions[images, :, row, column][:, :, None, None]
        for each in np.unique(channel).tolist():
            chosen = channel == each
            result[chosen] = pixels.probs(each)[:, :, 0, 0][chosen]
        return result

    def _probabilities(
        self, distributions: Distributions
    ) -> tuple[Float[np.ndarray, "n c h w"], Float[np.ndarray, "n sites"]]:
        """Return the probability of each sub-pixel, and of the allowed levels of each unknown one."""
        x = distributions.x
        mass = np.ones((len(x), len(self.sites)))
        if self.allowed is None:
            return distributions.prob(), mass
        chosen = np.empty(x.shape) if self.in_integers else distributions.prob()
        for channel in range(x.shape[1]):
            probs = distributions.probs(channel)
            if self.in_integers:
                chosen[:, channel] = np.take_along_axis(probs, x[:, channel : channel + 1], 1)[:, 0]
            here = self.sites[:, 0] == channel
            within = (probs * self.allowed[channel].transpose(2, 0, 1)).sum(1)
            mass[:, here] = within[:, *self.sites[here, 1:].T]
        return chosen, mass


def _total(numbers: Float[np.ndarray, "n sites"]) -> Float[np.ndarray, " n"]:
    return numbers.cumsum(1)[:, -1]


def _pick(weights: Float[np.ndarray, "n m"], uniforms: Float[np.ndarray, " n"]) -> IntArray:
    """Draw an index in proportion to weights: the first whose cumulative sum exceeds the uniform times the total."""
    cumulative = weights.cumsum(1)
    picked = (cumulative <= (uniforms * cumulative[:, -1])[:, None]).sum(1)
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(1)
    result: IntArray = np.minimum(picked, last)
    return result
