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
from pointillist.analysis.distribution import LevelDistribution, MixtureComponents, distribution, pixel_distributions
from pointillist.analysis.layers import Attribution, LogitLens, gradient, gradient_maps, logit_lens
from pointillist.analysis.query import ImageQuery, gradient_unit
from pointillist.analysis.report.explanation import Explanation, explain
from pointillist.analysis.surprisal import CumulativeBits, SurprisalMaps, surprisal_maps
from pointillist.model.batches import QueryKwargs

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
    "logit_lens",
    "pixel_distributions",
    "prompt_words",
    "surprisal_maps",
    "word_gains",
]
