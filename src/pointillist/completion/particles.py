"""Draw particles of Sequential Monte Carlo on the compiled engine, which weighs and resamples them by itself."""

from __future__ import annotations

from pointillist.engine.particles import ParticleBatch
from pointillist.images.ordering import PixelOrder
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import record_stage
from pointillist.nn import Condition
from pointillist.sampling.engines import InverseCdfSampler
from pointillist.system import single_threaded


def draw_particles(
    model: PixelModel, condition: Condition, sampler: InverseCdfSampler, batch: ParticleBatch, order: PixelOrder
) -> None:
    """Draw the particles of an image on the engine `cpu`, by a model of one stage; they are filled in place.

    Args:
        condition: condition of the image; under guidance, of it and of the reference.

    Raises:
        CausalityError: if the model cannot be recorded.
        EngineError: if the memory does not suffice.
    """
    from pointillist.engine.cpu import CpuParticles, DrawSpec

    height, width = batch.roles.shape[1:]
    (stage,) = model.stages(height, width)
    condition = stage.condition(None, model.conditions.to_raster_frame(condition, order))
    program = record_stage(model, stage, condition, height, width, order)
    likelihood = model.likelihood
    mixture = {name: int(getattr(likelihood, name, 0)) for name in ("mixtures", "min_log_scale")}
    draw = DrawSpec(likelihood.name, program.canvas_values, likelihood.channels, **mixture)
    with single_threaded():
        CpuParticles(program, draw, sampler.transform).run(batch)
