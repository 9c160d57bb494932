"""Layers whose statistics may be of parts of a training batch: multigrid training has batches of changing sizes."""

from __future__ import annotations

from torch import Tensor, nn

from videogn.norm.running_statistics import update_factor
from videogn.norm.sub_batch import normalised_in_parts


class PartsBatchNorm3d(nn.BatchNorm3d):
    """BatchNorm that normalises `parts` equal parts of a training batch with statistics of their own.

    With one part it is PyTorch's layer, to the bit, and so it is in evaluation. The running statistics take the average
    over the parts, as in `SubBatchNorm3d`.

    Attributes:
        parts: Number of parts of the next training batches. Default: 1.
    """

    parts = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: In training, N is not divisible by the number of parts.
        """
        if not self.training or self.parts == 1:
            return super().forward(x)
        if x.shape[0] % self.parts:
            raise ValueError(f"the batch must be divisible by {self.parts} parts, got {x.shape[0]} clips")
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        factor = update_factor(self.momentum, self.num_batches_tracked)
        return normalised_in_parts(self, x, x.shape[0] // self.parts, factor)


#: Layer -> the layer of the same statistics that can take them of parts. Others keep theirs, of each clip or of what
#: they were told; a subclass is another norm.
_OF_PARTS: dict[type[nn.Module], type[PartsBatchNorm3d]] = {nn.BatchNorm3d: PartsBatchNorm3d}


def allow_parts(network: nn.Module) -> None:
    """Put layers that can take statistics of parts in the place of those that have an equal, with their parameters.

    Args:
        network: Network, changed in place; an optimiser made before holds the same parameters.
    """
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            made = _OF_PARTS.get(type(layer))
            if made is not None:
                replacement = made.__new__(made)
                replacement.__dict__.update(layer.__dict__)
                setattr(parent, name, replacement)


def set_parts(network: nn.Module, parts: int) -> None:
    """Set the number of parts of the layers of `allow_parts`."""
    for layer in network.modules():
        if type(layer) in _OF_PARTS.values():
            layer.parts = parts  # type: ignore[assignment]
