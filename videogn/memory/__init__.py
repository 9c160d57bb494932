"""Memory of a training step: planned on tensors without storage, or measured on real ones."""

from videogn.memory.batch import largest_batch
from videogn.memory.measured import MeasuredStep, measure_step, time_step
from videogn.memory.planned import StepMemory, StepPlan, model_size, plan_steps, step_memory
from videogn.memory.step import PRECISIONS, StepSetting, TrainingStep

__all__ = [
    "PRECISIONS",
    "MeasuredStep",
    "StepMemory",
    "StepPlan",
    "StepSetting",
    "TrainingStep",
    "largest_batch",
    "measure_step",
    "model_size",
    "plan_steps",
    "step_memory",
    "time_step",
]
