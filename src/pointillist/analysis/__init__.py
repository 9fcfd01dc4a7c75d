"""Analysis of one image under a model, pixel by pixel: arrays, pictures and a report page.

Gradients and inner layers need torch; they are imported when they are first used.
"""

# functions with the name of their module, which an import of the module would take
from pointillist.analysis.calibration import calibration as calibration
from pointillist.analysis.condition_gain import condition_gain as condition_gain
from pointillist.analysis.counterfactual import counterfactual as counterfactual
from pointillist.analysis.distribution import distribution as distribution
from pointillist.files import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "pointillist.analysis.calibration": "Calibration Reliability calibration",
        "pointillist.analysis.condition_gain": (
            "ConditionGain PromptWord WordGain condition_gain prompt_words word_gains"
        ),
        "pointillist.analysis.counterfactual": "Counterfactual PixelEdit counterfactual",
        "pointillist.analysis.distribution": "LevelDistribution MixtureComponents distribution pixel_distributions",
        "pointillist.analysis.layers": "Attribution LogitLens gradient gradient_maps logit_lens",
        "pointillist.analysis.query": "ImageQuery gradient_unit",
        "pointillist.analysis.report.explanation": "Explanation explain",
        "pointillist.analysis.surprisal": "CumulativeBits SurprisalMaps surprisal_maps",
        "pointillist.model.batches": "QueryKwargs",
    },
)
