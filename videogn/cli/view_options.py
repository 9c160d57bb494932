"""Options of the commands that take clips from videos as training and testing do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from videogn.checks import require_positive
from videogn.choices import (
    CropsName,
    EvaluationProtocol,
    EvaluationViews,
    NetworkInput,
    ProtocolName,
    check_rate,
    chosen,
)

if TYPE_CHECKING:
    from videogn.data.plans import ViewPlan
    from videogn.video.crops import ResizedCrop


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """The clips of a video and the parts of their frames.

    Attributes:
        clips: Number of clips per video.
        clip_length: Number of frames in a clip.
        interval: Step between consecutive frames of a clip, in frames of the video, or of --fps.
        protocol: Placement of the test clips.
        crops: Part of the frame that is tested: the whole frame, three crops or the center.
        short_side: Shorter side of the resized frames, in pixels.
        fps: Frames per second at which clips are taken, by the time stamps. By default (0) every frame of the video
            counts.
    """

    clips: int = EvaluationProtocol.num_clips
    clip_length: int = NetworkInput.clip_length
    interval: int = NetworkInput.interval
    protocol: ProtocolName = EvaluationProtocol.protocol
    crops: CropsName = EvaluationProtocol.crops
    short_side: int = NetworkInput.short_side
    fps: float | None = NetworkInput.fps

    def plan(self, *, train: bool, crop_size: int, resized_crop: ResizedCrop | None = None) -> ViewPlan:
        """Make the plan of the views.

        Args:
            train: Whether to draw one random clip and crop, as training does, in place of the test's.
            crop_size: Side of the square crops, in pixels.
            resized_crop: Random resized crop of training. Default: None.

        Returns:
            The plan.

        Raises:
            ValueError: If a number is out of range.
        """
        from videogn.data.plans import evaluation_plan, training_plan

        require_positive("--clips", self.clips)
        check_rate("--fps", self.fps)
        views = chosen(EvaluationViews, {**asdict(self), "num_clips": self.clips, "crop_size": crop_size})
        if train:
            sides = (self.short_side, self.short_side * 5 // 4)  # 256 to 320
            return training_plan(views, short_sides=sides, flip=0.5, resized_crop=resized_crop)
        return evaluation_plan(views)
