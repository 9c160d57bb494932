"""Decoded videos through a network clip by clip, until their classes are settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from videogn.axes import Sample
from videogn.evaluation.anytime import StoppingRule, scoring_order
from videogn.inference.network_pass import NetworkPass, OfViews


@dataclass(frozen=True)
class StoppedPass(NetworkPass):
    """A network that sees no more clips of a video than a rule asks for. A sample is then cut down to those.

    Attributes:
        rule: When a video has been seen well enough.
    """

    rule: StoppingRule

    @torch.inference_mode()
    def _rows(self, samples: Sequence[Sample], at_once: int, of_views: OfViews) -> list[Tensor]:
        """Probabilities of the clips that were scored, in the order of time; one clip of every open video a pass."""
        for sample in samples:
            self._on_device(sample)
        rows: list[dict[int, Tensor]] = [{} for _ in samples]
        undecided = list(range(len(samples)))
        for number in scoring_order(self.rule.num_clips).tolist():
            shown = [_with_clips(samples[place], [number]) for place in undecided]
            for place, row in zip(undecided, super()._rows(shown, at_once, of_views), strict=True):
                rows[place][number] = row[0]
            undecided = [place for place in undecided if not self._settled(rows[place])]
            if not undecided:
                break
        for sample, own in zip(samples, rows, strict=True):
            _cut_down(sample, sorted(own))
        return [torch.stack([own[number] for number in sorted(own)]) for own in rows]

    def _settled(self, rows: dict[int, Tensor]) -> bool:
        return self.rule.stops(torch.stack(list(rows.values())).double().sum(dim=0).numpy(), len(rows))


def stopped_pass(network: NetworkPass, rule: StoppingRule, num_clips: int) -> StoppedPass:
    """Make a network stop early.

    Args:
        network: The network.
        rule: When a video has been seen well enough.
        num_clips: Number of clips of a video.

    Raises:
        ValueError: The rule is one for another number of clips.
    """
    if rule.num_clips != num_clips:
        raise ValueError(f"stopping must be a rule for the {num_clips} clips of a video, got one for {rule.num_clips}")
    known = {field.name: getattr(network, field.name) for field in fields(network)}
    return StoppedPass(**known, rule=rule)


def _with_clips(sample: Sample, numbers: list[int]) -> Sample:
    assert sample.clips is not None
    return replace(sample, clips=sample.clips[numbers])


def _cut_down(sample: Sample, numbers: list[int]) -> None:
    sample.clips = _with_clips(sample, numbers).clips
    sample.starts = tuple(sample.starts[number] for number in numbers)
    sample.times = tuple(sample.times[number] for number in numbers)
