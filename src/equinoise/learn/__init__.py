"""Training under noise: a charge-conserving classifier as a scikit-learn estimator (the extra ``learn``)."""

from equinoise.learn.checkpoint import CheckpointError
from equinoise.learn.classifier import ChargeClassifier
from equinoise.learn.descent import Plan, TrainingError
from equinoise.learn.evaluation import Trained, train_on
from equinoise.learn.model_training import ModelEpoch, TrainedModel, train
from equinoise.learn.training import EpochRecord

__all__ = [
    "ChargeClassifier",
    "CheckpointError",
    "EpochRecord",
    "ModelEpoch",
    "Plan",
    "Trained",
    "TrainedModel",
    "TrainingError",
    "train",
    "train_on",
]
