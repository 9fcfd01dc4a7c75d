"""Find anomalous images by the likelihood of a model of normal ones: p-values, heat maps, thresholds that hold."""

from pointillist.anomaly.detector import AnomalyDetector
from pointillist.anomaly.heat import AnomalyRecord, HeatScale

__all__ = ["AnomalyDetector", "AnomalyRecord", "HeatScale"]
