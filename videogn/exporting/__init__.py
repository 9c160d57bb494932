"""Trained networks as files for other programs: torch.export, ONNX, OpenVINO."""
