"""2D ResNets with random weights, and the same network in Caffe2's names: what users' files look like."""

from __future__ import annotations

import torch
from timm.models.resnet import Bottleneck as TimmBottleneck
from timm.models.resnet import ResNet as TimmResNet
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

ONE_BLOCK_EACH = (1, 1, 1, 1)


def randomised(network: nn.Module, seed: int = 1) -> nn.Module:
    """In evaluation mode, with gamma, beta and running statistics that are not the initial ones."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(noise.abs() + 0.5)
        elif tensor.is_floating_point():
            tensor.copy_(noise / (tensor[0].numel() ** 0.5) if tensor.ndim > 1 else 0.2 * noise + ("weight" in name))
    return network.eval()


def bn_network(blocks=ONE_BLOCK_EACH) -> nn.Module:
    """torchvision's ResNet; (3, 4, 6, 3) is ResNet-50."""
    return randomised(ResNet(Bottleneck, list(blocks)))


def gn_network(blocks=ONE_BLOCK_EACH) -> nn.Module:
    """timm's ResNet with GN, whose norms are named bn."""
    return randomised(TimmResNet(TimmBottleneck, blocks, norm_layer="groupnorm"))


def caffe2_blobs(network: nn.Module) -> dict[str, object]:
    """A GN network's weights as Detectron writes them: other names, conv1 for BGR."""
    blobs = {}
    for key, tensor in network.state_dict().items():
        parts = key.split(".")
        if parts[0] == "conv1":
            blobs["conv1_w"] = tensor.flip(1)
        elif parts[0] == "bn1":
            blobs["conv1_gn_" + {"weight": "s", "bias": "b"}[parts[1]]] = tensor
        elif parts[0] == "fc":
            blobs["pred_" + {"weight": "w", "bias": "b"}[parts[1]]] = tensor
        else:
            stage = int(parts[0][-1]) + 1
            branch = "1" if parts[2] == "downsample" else "2" + "abc"[int(parts[2][-1]) - 1]
            norm = parts[2].startswith("bn") or parts[2:4] == ["downsample", "1"]
            suffix = {"weight": "gn_s", "bias": "gn_b"}[parts[-1]] if norm else "w"
            blobs[f"res{stage}_{parts[1]}_branch{branch}_{suffix}"] = tensor
    return {name: tensor.numpy() for name, tensor in blobs.items()}
