"""Exported networks, opened again: a file in ONNX, OpenVINO, torch.export or ExecuTorch -> a network."""

from videogn.engine_files.network import EngineNetwork
from videogn.engine_files.opening import describe_engine, engine_facts, is_engine_file, open_engine

__all__ = ["EngineNetwork", "describe_engine", "engine_facts", "is_engine_file", "open_engine"]
