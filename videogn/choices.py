"""Names and defaults that the command line, the studies and the signatures share. No torch.

A table of functions, such as `CROPS` in `video.crops`, has exactly the names given here as its keys; a test compares
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from videogn.checks import check_choice, require_at_least, require_positive

DecoderName = Literal["auto", "pyav", "decord", "torchcodec"]
ProtocolName = Literal["nonlocal", "slowfast", "slowfast_offset", "mmaction2", "endpoint"]
CropsName = Literal["full", "three_crop", "center"]
ValViewName = Literal["center", "augmented"]
MemoryModeName = Literal["plain", "lean", "block", "stage"]
PrecisionName = Literal["32", "bf16-mixed", "16-mixed", "bf16-true", "64-true"]
LayoutName = Literal["contiguous", "channels_last"]
MemoryFormatName = Literal["contiguous", "channels_last", "auto"]
CompileName = Literal["whole", "regional", "graphs"]
GroupNormName = Literal["pytorch", "triton"]
PredictPrecisionName = Literal["auto", "32", "bf16"]
ScheduleName = Literal["step", "cosine"]
ScalingName = Literal["linear", "sqrt"]
MultigridName = Literal["long", "short", "both"]
CellScheduleName = Literal["constant", "multigrid", "multigrid-long", "multigrid-short"]
NonfiniteName = Literal["stop", "skip"]
BudgetName = Literal["epochs", "iterations", "frames", "minutes"]
EngineName = Literal["local", "ray"]
DeviceName = Literal["cpu", "cuda"]
SamplingName = Literal["instance", "class_balanced", "square_root"]
LeaksName = Literal["warn", "error"]
SourceKindName = Literal["torchvision", "zoo", "nonlocal"]
ZooName = Literal[
    "i3d_r50",
    "slow_r50",
    "c2d_r50",
    "r2plus1d_r50",
    "csn_r101",
    "slowfast_r50",
    "x3d_xs",
    "x3d_s",
    "x3d_m",
    "x3d_l",
    "mvit_base_16x4",
    "mvit_base_32x3",
]
TorchvisionName = Literal[
    "r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v1_b", "mvit_v2_s", "swin3d_t", "swin3d_s", "swin3d_b"
]
ImageSetName = Literal["digits", "textures", "fashion_mnist", "cifar10"]
ExportFormatName = Literal["torch-export", "onnx", "openvino"]
TableFormatName = Literal["csv", "latex"]
LeaderboardFormatName = Literal["csv", "md"]
DynamicName = Literal["batch", "all"]

#: Network and norm that are trained unless others are named, and their number of classes (Kinetics-400).
ARCH = "i3d_r50"
NORM = "gn"
NUM_CLASSES = 400
#: Number of classes of a network for images unless told otherwise (ImageNet).
IMAGE_CLASSES = 1000
#: Number of classes that are listed for a tested video, and the k of its top-k accuracy.
TOP_K = 5
#: Norms that look at each clip alone: what a clip becomes does not depend on the others of its batch.
CLIP_NORMS = ("gn", "ln", "in", "ws+gn", "rms_gn", "evonorm_s0", "frn", "nf", "dyt", "derf", "frozen_bn", "none")
#: Shares of a training run at which the `step` schedule lowers the learning rate.
MILESTONES = (0.375, 0.75)
#: Seconds that a video may take to decode.
TIME_LIMIT = 60.0
#: Frames per second of a video that is a folder of numbered images, which state none; FFmpeg assumes the same.
FRAME_RATE = 25.0
#: Share of each class held out for validation where a data set has no division of its own.
VAL_FRACTION = 0.2
#: Largest rate of clips, in frames per second; in a much larger one, a video has more frames than memory holds.
_MAX_FPS = 1000
#: Number of frames of the shortest clips in use; an index calls a video with fewer "short".
MIN_FRAMES = 8


def check_rate(name: str, fps: float | None) -> None:
    """Raise ValueError unless a rate of clips is None or 0 (both: the frames of the video) or in range.

    Args:
        name: Name of the argument.
        fps: Frames per second.
    """
    if fps is not None and not 0 <= fps <= _MAX_FPS:
        raise ValueError(f"{name} must be >= 0 (0: every frame of the video) and <= {_MAX_FPS}, got {fps:g}")


@dataclass(frozen=True, kw_only=True)
class NetworkInput:
    """What the network sees of a video: the clip in time, the frame in space, the normalisation of the input.

    Args:
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames of a clip, in frames of the video, or of `fps` where it is set.
        crop_size: Side of the square training crop, in pixels.
        short_side: Shorter side of the resized frames in evaluation, in pixels.
        mean: Mean of each channel (RGB) that is subtracted from the input, as a fraction of the full range. Default:
            the mean that the weights of `init_from` were trained with, else 0.45 (released code of Wang et al. 2018).
        std: Standard deviation of each channel (RGB) that the input is divided by. Default: that of the weights of
            `init_from`, else 0.225.
        fps: Frames per second at which clips are taken from every video, by its time stamps, so that they last as long
            whatever the video's own rate. By default, and for 0, every frame of the video counts.
        antialias: Whether frames are antialiased when they shrink. Those of SlowFast, pytorchvideo and torchvision's
            video presets are not.

    Raises:
        ValueError: If a number is out of range.
    """

    clip_length: int = 32
    interval: int = 2
    crop_size: int = 224
    short_side: int = 256
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    fps: float | None = None
    antialias: bool = True

    def __post_init__(self) -> None:
        for name in ("clip_length", "interval", "crop_size", "short_side"):
            require_positive(name, getattr(self, name))
        for value in self.std or ():
            require_positive("std", value)
        check_rate("fps", self.fps)
        object.__setattr__(self, "fps", self.fps or None)  # one value for one meaning; the class is frozen


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """The views of a video in testing: how many clips, where they start, and which crops of each.

    Args:
        num_clips: Number of clips per video.
        protocol: Rule that places the clips: `nonlocal`, `slowfast`, `slowfast_offset`, `mmaction2` or
            `endpoint`, see `videogn.video.clips`.
        crops: Part of the frame that is tested: `full` (the whole frame, fully convolutionally), `three_crop` or
            `center`.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
    """

    num_clips: int = 10
    protocol: ProtocolName = "nonlocal"
    crops: CropsName = "full"

    def __post_init__(self) -> None:
        require_positive("num_clips", self.num_clips)
        check_choice("protocol", self.protocol, get_args(ProtocolName))
        check_choice("crops", self.crops, get_args(CropsName))


@dataclass(frozen=True, kw_only=True)
class EvaluationViews(EvaluationProtocol, NetworkInput):
    """The test protocol and what the network sees of each view, as one value. Args: those of both."""

    def __post_init__(self) -> None:
        NetworkInput.__post_init__(self)
        EvaluationProtocol.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class MotionSettings:
    """Size of the synthetic motion data set.

    Args:
        videos_per_class: Number of training videos per class.
        val_videos_per_class: Number of validation videos per class. By default a quarter of the training videos.
        size: Height and width of the videos, in pixels; even.
        frames: Number of frames per video.
        seed: Seed of everything random. The same seed gives the same files.
        noise: Standard deviation of the pixels' noise in the noisiest videos, in grey levels. The higher, the harder.

    Raises:
        ValueError: If a number is out of range.
    """

    videos_per_class: int
    val_videos_per_class: int | None = None
    size: int = 40
    frames: int = 32
    seed: int = 0
    noise: int = 90

    def __post_init__(self) -> None:
        for name, least in (("videos_per_class", 1), ("size", 16), ("frames", 1), ("seed", 0), ("noise", 2)):
            require_at_least(name, getattr(self, name), least)
        require_at_least("val_videos_per_class", self.val_count, 1)
        if self.size % 2:
            raise ValueError(f"size must be even (H.264 stores colour at half size), got {self.size}")

    @property
    def val_count(self) -> int:
        """Number of validation videos per class, at least 1 by default."""
        if self.val_videos_per_class is None:
            return max(self.videos_per_class // 4, 1)
        return self.val_videos_per_class


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Which small data set of images, and how much of it.

    Args:
        name: `digits` (scikit-learn's), `textures` (drawn), `fashion_mnist` or `cifar10` (torchvision's).
        images_per_class: Number of training images per class, at most. Default: all; 200 of the textures.
        seed: Seed of the textures, and of which digits are held out.

    Raises:
        ValueError: If the name is unknown or a number is out of range.
    """

    name: ImageSetName
    images_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("name", self.name, get_args(ImageSetName))
        if self.images_per_class is not None:
            require_at_least("images_per_class", self.images_per_class, 1)
        require_at_least("seed", self.seed, 0)


_Value = TypeVar("_Value")


def chosen(kind: type[_Value], values: Mapping[str, Any]) -> _Value:
    """Make a value of the entries that belong to it, for instance of a checkpoint's flat hyper-parameters.

    Args:
        kind: A dataclass, such as `NetworkInput`.
        values: Entries by name. Those that `kind` has no field for are left out.

    Returns:
        The value. Fields without an entry have their defaults.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names})
