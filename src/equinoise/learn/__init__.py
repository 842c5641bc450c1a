"""Training under noise: a charge-conserving classifier as a scikit-learn estimator (the extra ``learn``)."""

from equinoise.learn.checkpoint import CheckpointError
from equinoise.learn.classifier import ChargeClassifier, TrainingError
from equinoise.learn.evaluation import Trained, train_on
from equinoise.learn.training import EpochRecord

__all__ = ["ChargeClassifier", "CheckpointError", "EpochRecord", "Trained", "TrainingError", "train_on"]
