"""What a painting listens to: labels now, later text and images, brought to one `nn.Condition`."""

from pointillist.conditioning.label import NO_LABEL, LabelEmbedding, resolve_labels
from pointillist.conditioning.position import PositionMap

__all__ = ["NO_LABEL", "LabelEmbedding", "PositionMap", "resolve_labels"]
