"""Lightning callbacks: what is measured or said beside the training, none of which changes its steps."""

from videogn.callbacks.cost import TrainingCost
from videogn.callbacks.diagnosis import BatchNormDiagnosis
from videogn.callbacks.effective_batch import EffectiveBatch
from videogn.callbacks.percentiles import FeaturePercentiles
from videogn.callbacks.precise import PreciseBatchNorm

__all__ = ["BatchNormDiagnosis", "EffectiveBatch", "FeaturePercentiles", "PreciseBatchNorm", "TrainingCost"]
