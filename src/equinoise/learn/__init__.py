"""Training under noise: a charge-conserving classifier as a scikit-learn estimator (``pip install "equinoise[learn]"``)."""

from equinoise.learn.checkpoint import CheckpointError
from equinoise.learn.classifier import ChargeClassifier, TrainingError
from equinoise.learn.training import EpochRecord

__all__ = ["ChargeClassifier", "CheckpointError", "EpochRecord", "TrainingError"]
