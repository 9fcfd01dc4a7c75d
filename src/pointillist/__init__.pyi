from pointillist.analysis import Explanation, explain
from pointillist.analysis.evaluation.captions import Ranking, rank
from pointillist.analysis.evaluation.likelihood import Evaluation, evaluate
from pointillist.analysis.receptive_field import ReceptiveField, receptive_field
from pointillist.anomaly import AnomalyDetector, AnomalyRecord
from pointillist.commands import jobs
from pointillist.completion.api import inpaint
from pointillist.completion.cells import read_cells
from pointillist.completion.result import Completions
from pointillist.completion.seamless import sample_seamless
from pointillist.completion.vary import vary
from pointillist.compression import Archive, compress, decompress
from pointillist.compression.message import hide, reveal
from pointillist.data import DataOptions, DataSplits, ImageDataset, load_data
from pointillist.errors import (
    ArchiveError,
    CausalityError,
    CheckpointError,
    ConfigError,
    DataError,
    EngineError,
    JobError,
    PointillistError,
    ShapeError,
    TrainingError,
)
from pointillist.images import ImageSpec
from pointillist.model.folder.building import build
from pointillist.model.folder.generation import GenerationConfig
from pointillist.model.folder.opening import list_models, load
from pointillist.model.pixel_model import PixelModel
from pointillist.model.quantize_integer import quantize_integer
from pointillist.sampling.api import sample
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.inversion import interpolate_uniforms, recover_uniforms, replace_uniforms
from pointillist.sampling.rules.config import Rules
from pointillist.sampling.samples import Samples
from pointillist.sampling.worlds import World
from pointillist.studio import Studio
from pointillist.studio.export import export
from pointillist.system import __version__
from pointillist.training import TrainConfig, TrainResult, train, train_from_config
from pointillist.zoo import BundledModel, list_pretrained

__all__ = [
    "AnomalyDetector",
    "AnomalyRecord",
    "Archive",
    "ArchiveError",
    "BundledModel",
    "CausalityError",
    "CheckpointError",
    "Completions",
    "ConfigError",
    "DataError",
    "DataOptions",
    "DataSplits",
    "EngineError",
    "Evaluation",
    "Explanation",
    "GenerationConfig",
    "ImageDataset",
    "ImageSpec",
    "JobError",
    "PixelModel",
    "PointillistError",
    "Ranking",
    "ReceptiveField",
    "Rules",
    "Samples",
    "SamplingConfig",
    "ShapeError",
    "Studio",
    "TrainConfig",
    "TrainResult",
    "TrainingError",
    "World",
    "__version__",
    "build",
    "compress",
    "decompress",
    "evaluate",
    "explain",
    "export",
    "hide",
    "inpaint",
    "interpolate_uniforms",
    "jobs",
    "list_models",
    "list_pretrained",
    "load",
    "load_data",
    "quantize_integer",
    "rank",
    "read_cells",
    "receptive_field",
    "recover_uniforms",
    "replace_uniforms",
    "reveal",
    "sample",
    "sample_seamless",
    "train",
    "train_from_config",
    "vary",
]
