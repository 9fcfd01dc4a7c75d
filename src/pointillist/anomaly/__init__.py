"""Find anomalous images by the likelihood of a model of normal ones: p-values, heat maps, thresholds that hold."""

from pointillist.anomaly.detector import AnomalyDetector
from pointillist.anomaly.heat import AnomalyRecord, HeatScale
from pointillist.anomaly.report import AnomalyReport

__all__ = ["AnomalyDetector", "AnomalyRecord", "AnomalyReport", "HeatScale"]
