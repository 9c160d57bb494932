"""Lightning callbacks that measure or log; none changes the training steps."""

from videogn.training.callbacks.diagnosis import BatchNormDiagnosis
from videogn.training.callbacks.effective_batch import EffectiveBatch
from videogn.training.callbacks.eval_norm import EvalNorm
from videogn.training.callbacks.expected_time import ExpectedTime
from videogn.training.callbacks.feature_percentiles import FeaturePercentiles
from videogn.training.callbacks.planned_memory import PlannedMemory
from videogn.training.callbacks.precise_batch_norm import PreciseBatchNorm
from videogn.training.callbacks.random_weights import RandomWeights
from videogn.training.callbacks.run_history import RunHistory
from videogn.training.callbacks.training_at_chance import TrainingAtChance
from videogn.training.callbacks.training_clips import TrainingClips
from videogn.training.callbacks.training_cost import TrainingCost
from videogn.training.callbacks.waiting_for_videos import WaitingForVideos

__all__ = [
    "BatchNormDiagnosis",
    "EffectiveBatch",
    "EvalNorm",
    "ExpectedTime",
    "FeaturePercentiles",
    "PlannedMemory",
    "PreciseBatchNorm",
    "RandomWeights",
    "RunHistory",
    "TrainingAtChance",
    "TrainingClips",
    "TrainingCost",
    "WaitingForVideos",
]
