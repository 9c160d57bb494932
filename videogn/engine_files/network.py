"""An exported file as a network: whatever its input and output, from normalised clips to logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.engine_files.description import Description

#: Runs the graph of a file: its input -> its output, on the CPU.
Run = Callable[[Tensor], Tensor]


class EngineNetwork(nn.Module):
    """A network without parameters that runs an exported file on the CPU.

    Args:
        path: The file, for error messages.
        run: Runs the file's graph.
        description: What the file says about itself.
    """

    def __init__(self, path: Path, run: Run, description: Description) -> None:
        super().__init__()
        self.path = path
        self.description = description
        self._run = run

    def forward(self, clips: Tensor) -> Tensor:
        """Normalised clips (B, 3, T, H, W) on any device -> logits (B, K, T', H', W'), float32, on that device.

        Of a file that gives probabilities (B, K) the logits are their logarithms, (B, K, 1, 1, 1): a softmax gives the
        probabilities again.

        Raises:
            ValueError: The file takes clips of another size, or does not give a score for each of its classes.
        """
        self._check_size(clips)
        given = self.description.prepared(clips.float().cpu())
        output = torch.cat([self._run(part)[:count] for part, count in self._batches(given)]).float()
        self._check_output(output, len(clips))
        if self.description.probabilities:
            output = output.clamp_min(torch.finfo(torch.float32).tiny).log()
        output = output if output.ndim == 5 else output[..., None, None, None]
        return output.to(clips.device)

    def _check_size(self, clips: Tensor) -> None:
        wanted = [self.description.size[axis] for axis in "THW"]
        have = tuple(clips.shape[2:])
        if any(size is not None and size != given for size, given in zip(wanted, have, strict=True)):
            shown = " x ".join("any" if size is None else str(size) for size in wanted)
            raise ValueError(f"{self.path.name} takes clips of T x H x W = {shown}, got {' x '.join(map(str, have))}")

    def _check_output(self, output: Tensor, count: int) -> None:
        classes = len(self.description.about["class_names"])
        axes = 2 if self.description.probabilities else 5
        if output.ndim != axes or output.shape[:2] != (count, classes):
            shown = " x ".join(map(str, output.shape))
            raise ValueError(f"{self.path.name} gives {shown} scores for {count} clips, and it names {classes} classes")

    def _batches(self, given: Tensor) -> Iterator[tuple[Tensor, int]]:
        """Parts of a batch that the file takes, with the number of clips that count in each: the last one is filled."""
        axis = self.description.layout.index("B")
        size = self.description.size["B"] or given.shape[axis]
        for part in given.split(size, dim=axis):
            count = part.shape[axis]
            missing = size - count
            # F.pad counts the axes from the last, two numbers each.
            padding = [0, 0] * (given.ndim - 1 - axis) + [0, missing]
            yield (F.pad(part, padding) if missing else part), count
