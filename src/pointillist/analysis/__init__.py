"""Analysis of one image under a model, pixel by pixel: arrays, pictures and a report page.

Gradients and inner layers need torch; they are imported when they are first used.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pointillist.analysis.attribution import Attribution, gradient_unit, perturbation_influence
from pointillist.analysis.calibration import Calibration, Reliability, calibration
from pointillist.analysis.condition_gain import (
    ConditionGain,
    PromptWord,
    WordGain,
    condition_gain,
    prompt_words,
    word_gains,
)
from pointillist.analysis.counterfactual import Counterfactual, PixelEdit, counterfactual
from pointillist.analysis.distribution import (
    LevelDistribution,
    MixtureComponents,
    distribution,
    pixel_distributions,
)
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.report.explanation import Explanation, explain
from pointillist.analysis.surprisal import CumulativeBits, SurprisalMaps, surprisal_maps
from pointillist.files.lazy import lazy_names
from pointillist.model.batches import QueryKwargs

if TYPE_CHECKING:
    from pointillist.analysis.gradients import gradient, gradient_maps, integrated_gradients
    from pointillist.analysis.layers import LogitLens, logit_lens

_MODULES = {"gradients": ("gradient", "gradient_maps", "integrated_gradients"), "layers": ("LogitLens", "logit_lens")}

__all__ = [
    "Attribution",
    "Calibration",
    "ConditionGain",
    "Counterfactual",
    "CumulativeBits",
    "Explanation",
    "ImageQuery",
    "LevelDistribution",
    "LogitLens",
    "MixtureComponents",
    "PixelEdit",
    "PromptWord",
    "QueryKwargs",
    "Reliability",
    "SurprisalMaps",
    "WordGain",
    "calibration",
    "condition_gain",
    "counterfactual",
    "distribution",
    "explain",
    "gradient",
    "gradient_maps",
    "gradient_unit",
    "integrated_gradients",
    "logit_lens",
    "perturbation_influence",
    "pixel_distributions",
    "prompt_words",
    "surprisal_maps",
    "word_gains",
]

__getattr__: Callable[[str], Any] = lazy_names(__name__, _MODULES)
