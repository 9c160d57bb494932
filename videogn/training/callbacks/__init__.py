"""Lightning callbacks that measure or log; none changes the training steps."""

from videogn.training.callbacks.diagnosis import BatchNormDiagnosis
from videogn.training.callbacks.effective_batch import EffectiveBatch
from videogn.training.callbacks.feature_percentiles import FeaturePercentiles
from videogn.training.callbacks.precise_batch_norm import PreciseBatchNorm
from videogn.training.callbacks.training_clips import TrainingClips
from videogn.training.callbacks.training_cost import TrainingCost

__all__ = [
    "BatchNormDiagnosis",
    "EffectiveBatch",
    "FeaturePercentiles",
    "PreciseBatchNorm",
    "TrainingClips",
    "TrainingCost",
]
