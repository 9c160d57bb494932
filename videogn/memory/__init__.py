"""Memory of a training step: planned on tensors without storage, or measured on real ones."""

from videogn.memory.batch import largest_batch
from videogn.memory.device_memory import device_memory
from videogn.memory.fitting import Fit, find_fit, largest_batches
from videogn.memory.forward import ForwardPlan
from videogn.memory.measured import MeasuredStep, inference_peak, measure_step, step_peak, time_step
from videogn.memory.planned import StepMemory, StepPlan, model_size, plan_steps, step_memory
from videogn.memory.run_setting import options_of, setting_of_run
from videogn.memory.step import PRECISIONS, StepSetting, TrainingStep

__all__ = [
    "PRECISIONS",
    "Fit",
    "ForwardPlan",
    "MeasuredStep",
    "StepMemory",
    "StepPlan",
    "StepSetting",
    "TrainingStep",
    "device_memory",
    "find_fit",
    "inference_peak",
    "largest_batch",
    "largest_batches",
    "measure_step",
    "model_size",
    "options_of",
    "plan_steps",
    "setting_of_run",
    "step_memory",
    "step_peak",
    "time_step",
]
