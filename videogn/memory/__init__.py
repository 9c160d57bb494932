"""How much memory a training step needs, planned on tensors without storage or measured on real ones."""

from videogn.memory.batch import largest_batch
from videogn.memory.measured import MeasuredStep, measure_step, time_step
from videogn.memory.step import PRECISIONS, StepMemory, StepSetting, TrainingStep, model_size, plan_row, step_memory

__all__ = [
    "PRECISIONS",
    "MeasuredStep",
    "StepMemory",
    "StepSetting",
    "TrainingStep",
    "largest_batch",
    "measure_step",
    "model_size",
    "plan_row",
    "step_memory",
    "time_step",
]
