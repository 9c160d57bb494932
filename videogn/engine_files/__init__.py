"""Exported networks, opened again: a file in ONNX, OpenVINO or torch.export -> a network."""

from videogn.engine_files.network import EngineNetwork
from videogn.engine_files.opening import describe_engine, engine_facts, engine_parts, open_engine

__all__ = [
    "EngineNetwork",
    "describe_engine",
    "engine_facts",
    "engine_parts",
    "open_engine",
]
