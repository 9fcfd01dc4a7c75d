"""The one sequential loop: for each pixel position compute the distribution, choose a level, observe it.

A sampler draws the level, an encoder takes the true one, a decoder pops it, a counterfactual sets it: they differ in
`choose` only. Observed pixels are kept and cost nothing (`ObservedPixels`): so the second stage of a model finds the
pixels of the first one, and so an image is completed. The new pixels of a stage are drawn at once where they are
independent of each other given what is known (`sample_group`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pointillist.distributions.likelihoods import Likelihood
from pointillist.distributions.sampling_transforms import sample_level
from pointillist.engine.recording.record import prove_independent
from pointillist.images.array_types import Bool, Float, Int
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import record_stage
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import FullPass, channels_last
from pointillist.sampling.config import OnRow, SamplingConfig, choose_float_engine
from pointillist.sampling.engines import SamplingState, Site, Stepper, UniformSampler, create_stepper, stage_condition
from pointillist.system import single_threaded

MAX_NUMBERS = 2**20
"""Log-probabilities that are computed together: 8 MB in float64, and as much for each component of a mixture."""


def sample_group(
    model: PixelModel, stage: Stage, condition: Condition, sampler: UniformSampler, state: SamplingState
) -> None:
    """Fill `state` where it is not known: one pass of the stage's network for each sub-pixel.

    The levels are those that an engine draws pixel by pixel from the same uniforms.

    Args:
        stage: one whose pixels are independent, as `prove_independent` shows.
        condition: condition of its network.
        sampler: in the orientation of the image; the state is in the raster frame of its order.
    """
    levels, known = stage.grid(state.levels), stage.grid(state.known)
    new, device = ~known, model.device
    count = len(sampler.uniforms)
    uniforms = stage.grid(state.order.to_raster(sampler.uniforms))[:, :, new]  # (n, c, m)
    result = levels[:, :, new].to(device)  # (b, c, m): zeros, of which the network reads the earlier channels
    maps = None if condition.map is None else condition.map[:, :, None, new.to(device)]  # (b, m, 1, m)
    for channel in range(result.shape[1]):
        if channel == 0 or not model.likelihood.coupled:
            params = _params(model, stage, replace(condition, map=maps), result)
        chosen = _draw(model, sampler, params, result, channel, uniforms[:, channel].to(device))
        result[:, channel] = chosen.repeat(len(result) // count, 1)
        levels[:, channel, new] = result[:, channel].to(levels.device)
        if state.outputs is not None:
            share = model.likelihood.params_of(channel)
            stage.grid(state.outputs)[:, share, new] = params[: len(state.outputs), share].to(state.outputs)
    known[new] = True
    state.report()


def _params(
    model: PixelModel, stage: Stage, condition: Condition, levels: Int[Tensor, "b c m"]
) -> Float[Tensor, "b p m"]:
    """Run the network image by image: torch may round the same image otherwise in another batch.

    It reads no pixel but its own, so the new pixels alone, in a row, are an image to it.
    """
    canvas, ctx = model.canvas(levels[:, :, None]), FullPass(channels_last=model.channels_last)
    images = [canvas[i : i + 1] for i in range(len(canvas))]
    images = [channels_last(image) for image in images] if model.channels_last else images
    return torch.cat([stage.network(image, ctx, condition.image(i)) for i, image in enumerate(images)])[:, :, 0]


def _draw(
    model: PixelModel, sampler: UniformSampler, params: Tensor, levels: Tensor, channel: int, uniforms: Tensor
) -> Tensor:
    """Draw the levels `[n m]` of a sub-pixel of every new pixel, and add their log-likelihood."""
    drawn, size = [], max(1, MAX_NUMBERS // (len(params) * model.image.levels))
    for start in range(0, uniforms.shape[1], size):
        part = slice(start, start + size)
        table = model.likelihood.conditional(params[:, :, part, None], levels[:, :, part, None], channel)[..., 0]
        log_probs = table.transpose(1, 2).flatten(0, 1)  # (b m, k), of which the second half is unconditional
        chosen, nats = sample_level(log_probs, uniforms[:, part].flatten(), sampler.transform)
        drawn.append(chosen.view(len(uniforms), -1))
        sampler.nats += nats.view(len(uniforms), -1).sum(1).to(sampler.nats.device)
    return torch.cat(drawn, 1)


ChooseLevel = Callable[[Site, Float[Tensor, "b k"]], Int[Tensor, " b"]]


@dataclass(frozen=True)
class ObservedPixels:
    """Pixels whose levels are given: they are kept, `choose` is not called for them, and they cost no nats.

    ```python
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:4] = True  # the upper half is given
    known = ObservedPixels(levels, mask)
    ```

    Attributes:
        levels: int64 `[b c h w]`, read where `mask` is set.
        mask: pixel positions that are known, with all their channels, bool `[h w]`.
    """

    levels: Int[Tensor, "b c h w"]
    mask: Bool[Tensor, "h w"]


def autoregressive_loop(
    model: PixelModel,
    condition: Condition,
    choose: ChooseLevel,
    shape: tuple[int, int, int],
    config: SamplingConfig | None = None,
    *,
    known: ObservedPixels | None = None,
    on_row: OnRow | None = None,
    outputs: Float[Tensor, "n p h2 w2"] | None = None,
) -> Int[Tensor, "b c h w"]:
    """Visit all pixels in generation order, stage by stage, and return the chosen levels.

    The loop runs in the raster frame of the order; arguments and results are in the orientation of the image.

    ```python
    def most_probable(site, log_probs):
        return log_probs.argmax(1)


    levels = autoregressive_loop(model, model.encode(None, 4), most_probable, (4, 8, 8))
    ```

    Args:
        condition: encoded conditions of the images.
        choose: given a sub-pixel of the image and the log-probabilities `[b k]` of its levels in nats, returns a level
            for each image. A `UniformSampler` may also exchange images (`resample`), and where it has no known
            sub-pixels, the engine `torch` draws groups of independent pixels in one pass.
        shape: `(batch, height, width)`.
        config: `engine` and `order` are used.
        known: pixels to keep.
        on_row: called after each row of a stage with the rows done (in rows of the raster frame) and the levels so far.
        outputs: filled with the network's outputs of the first `n` images at each pixel that is not known, row by row,
            before `on_row` is called. It alone is in the raster frame.

    Raises:
        EngineError, CausalityError: as `create_stepper`.
        ConfigError: if the model was not trained on the order.
    """
    config = config or SamplingConfig()
    engine = choose_float_engine(model, config.engine, (shape[1], shape[2]))
    batch, height, width = shape
    order = model.order(config.order)
    rows, columns = order.raster_size(height, width)
    levels = torch.zeros(batch, model.image.channels, rows, columns, dtype=torch.int64)
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    if known is not None:
        mask |= order.to_raster(known.mask)
        levels[:, :, mask] = order.to_raster(known.levels)[:, :, mask]
    sampler = choose if isinstance(choose, UniformSampler) else None
    state = SamplingState(
        order=order,
        likelihood=model.likelihood,
        levels=levels,
        known=mask,
        outputs=outputs,
        on_row=on_row,
        resample=None if sampler is None else sampler.resample,
        masked=None if sampler is None or sampler.mask is None else sampler,
    )
    condition = model.conditions.to_raster_frame(condition, order)
    # the work of one pixel is far too small to share: with two threads, and another program busy at the same time,
    # four 8x8 images took 0.64 s instead of 0.07 s
    with torch.inference_mode(), single_threaded():
        for stage in model.stages(rows, columns):
            if not stage.grid(mask).all():
                _run_stage(model, stage, stage_condition(model, stage, levels, condition), choose, state, engine)
            state = replace(state, resample=None)  # a later stage of an image is conditioned on its own coarse pixels
    return order.from_raster(levels)


def _run_stage(
    model: PixelModel, stage: Stage, condition: Condition, choose: ChooseLevel, state: SamplingState, engine: str
) -> None:
    """Sample a stage in one pass where the engine and `choose` allow it, and otherwise pixel by pixel."""
    mask = None if state.masked is None else state.masked.mask
    if mask is not None:
        count, order = len(mask.status), state.order
        mask.begin_stage(
            order, stage.step, order.from_raster(state.levels[:count]).numpy(), order.from_raster(state.known).numpy()
        )
    batch, (rows, columns), order = len(state.levels), state.known.shape, state.order
    if (
        isinstance(choose, UniformSampler)
        and choose.known is None
        and engine == "torch"
        and stage.independent
        and mask is None
    ):
        prove_independent(record_stage(model, stage, condition, rows, columns, order))
        sample_group(model, stage, condition, choose, state)
        return
    stepper = create_stepper(model, condition, batch, rows, columns, engine, stage=stage, order=order)
    height, width = order.raster_size(rows, columns)

    def choose_in_image(site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        return choose(Site(*order.site(site.row, site.column, height, width), site.channel), log_probs)

    _step_stage(model, stepper, choose_in_image, state, stage.step)


def _step_stage(
    model: PixelModel, stepper: Stepper, choose: ChooseLevel, state: SamplingState, step: tuple[int, int]
) -> None:
    """Run one stage pixel by pixel, in the raster frame; `state` is filled in place."""
    width = state.known.shape[1]
    for row in _rows(stepper, state, step):
        for column in state.order.row(row, width)[:: step[1]]:
            if state.known[row, column]:
                for channel in range(state.likelihood.channels):
                    stepper.observe(state.levels[:, channel, row, column].numpy())
            else:
                indices = None if state.resample is None else state.resample(row, column)
                if indices is not None:
                    stepper.select(indices)
                    state.levels.copy_(state.levels[torch.from_numpy(indices)])
                outputs = None if state.outputs is None else state.outputs[:, :, row, column]
                site = Site(row, column, 0)
                state.levels[:, :, row, column] = _choose_pixel(state.likelihood, stepper, choose, site, outputs)
                state.known[row, column] = True
        state.report()


def _rows(stepper: Stepper, state: SamplingState, step: tuple[int, int]) -> Iterator[int]:
    """Yield the rows of a stage, and some of them again where a mask sends the loop back."""
    height = state.known.shape[0]
    if state.masked is None or state.masked.mask is None:
        yield from range(0, height, step[0])
        return
    from pointillist.engine.constraints.masks import Backtracking

    mask, nats, known, before = state.masked.mask, state.masked.nats, state.known, state.known.clone()
    levels = state.levels[: len(mask.status), 0, :: step[0], :: step[1]].numpy()

    def restore(saved: tuple[Any, Tensor]) -> None:
        stepper.restore(saved[0])
        nats.copy_(saved[1])

    for number in Backtracking(mask, levels, lambda: (stepper.save(), nats.clone()), restore):
        row = number * step[0]
        known[row:] = before[row:]
        yield row


def _choose_pixel(
    likelihood: Likelihood,
    stepper: Stepper,
    choose: ChooseLevel,
    site: Site,
    outputs: Float[Tensor, "n p"] | None = None,
) -> Int[Tensor, "b c"]:
    """Choose the levels of a pixel channel by channel, each given those before it; `outputs` gets the parameters."""
    levels: list[Int[Tensor, " b"]] = []
    for channel in range(likelihood.channels):
        params, share = torch.from_numpy(stepper.params()), likelihood.params_of(channel)
        pixel = torch.zeros(len(params), likelihood.channels, 1, 1, dtype=torch.int64)
        for before, chosen in enumerate(levels):
            pixel[:, before, 0, 0] = chosen
        log_probs = likelihood.conditional(params[:, :, None, None], pixel, channel)[:, :, 0, 0]
        if outputs is not None:
            outputs[:, share] = params[: len(outputs), share]
        levels.append(choose(replace(site, channel=channel), log_probs))
        stepper.observe(levels[-1].numpy())
    return torch.stack(levels, 1)
