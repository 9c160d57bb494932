"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from videogn.axes import Sample, VideoRecord
from videogn.checks import require_at_least, require_positive
from videogn.choices import FRAME_RATE, TIME_LIMIT, CropsName, DecoderName, EvaluationViews, ProtocolName, chosen
from videogn.data.dataset import VideoDataset, collate
from videogn.data.handover import check_space
from videogn.data.lists.segments import named_video
from videogn.data.plans import evaluation_plan
from videogn.data.records import Records
from videogn.evaluation.views import score_views, video_probabilities
from videogn.inference.loading import load_network
from videogn.system.devices import device_named
from videogn.video.decoders.guard import video_opener
from videogn.video.transforms import normalise, view_chunks


@dataclass(frozen=True)
class Prediction:
    """Classes of one file, or of a part of it.

    Attributes:
        path: Path of the file; of a part with its place, as in "a.mp4#t=5.4,11.6".
        scores: Pairs of class name and probability, best first; empty if the file failed.
        error: Reason why the file failed, or None.
        fallback: Reason why PyAV decoded the file and not the decoder that was asked for, or None.
    """

    path: str
    scores: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    fallback: str | None = None


class Predictor:
    """Classifies video files with a network whose source says everything about it and its input.

    Args:
        checkpoint: Checkpoint written by `videogn fit`, or a published network: `torchvision:NAME`, `zoo:NAME`,
            `nonlocal:FILE`.
        num_clips: Number of clips per video. Default: that of a published network's accuracy, for a checkpoint 10.
        protocol: Rule that places the clips: "nonlocal", "slowfast", "mmaction2" or "endpoint". Default: that of a
            published network's accuracy, for a checkpoint "nonlocal".
        crops: Part of the frame that is tested: "full", "three_crop" or "center". Default: as the checkpoint says.
        fps: Frames per second at which clips are taken, by the videos' time stamps; 0 takes every frame of the video.
            Default: as the checkpoint says.
        antialias: Whether frames are antialiased when they shrink. Default: as the checkpoint says.
        decoder: "auto" (PyAV), "pyav", "decord" or "torchcodec"; files on which it is not exact go to PyAV. Default:
            "auto".
        frame_rate: Frames per second of folders of numbered images. Default: 25.
        device: "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one. Default: "auto".
        time_limit: Seconds that a small video may take to decode; a long or large one has more. Decoding runs in a
            process of its own, which is killed and replaced when the time is over. 0 decodes in this process without a
            limit. Default: 60.
        trust: Packages that may be imported where the checkpoint names a norm or a network from outside videogn.
            Default: none.

    Attributes:
        device: Device of the network.
        class_names: Class names in the order of their numbers.
        views: What the network sees of a video: clips, crops and their sizes.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: The file is not a checkpoint of `videogn fit`, it names code that is not trusted, there is no such
            published network or it could not be fetched, or an argument is wrong.

    Example:
        A checkpoint of an untrained network, as `videogn fit` writes it, and a black video.

        >>> import numpy as np
        >>> import torch
        >>> from videogn.inference import Predictor
        >>> from videogn.training.task import VideoClassifier
        >>> from videogn.video.encode import write_video
        >>> task = VideoClassifier("i3d_tiny", class_names=["jump", "run"], clip_length=4, crop_size=32, short_side=32)
        >>> torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, "tiny.ckpt")
        >>> write_video("black.mp4", np.zeros((16, 32, 32, 3), np.uint8))
        >>> predictor = Predictor("tiny.ckpt", num_clips=2, device="cpu")
        >>> for prediction in predictor.predict(["black.mp4", "missing.mp4"]):
        ...     print(prediction.path, sorted(name for name, _ in prediction.scores), prediction.error)
        black.mp4 ['jump', 'run'] None
        missing.mp4 [] file not found
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        num_clips: int | None = None,
        protocol: ProtocolName | None = None,
        crops: CropsName | None = None,
        fps: float | None = None,
        antialias: bool | None = None,
        decoder: DecoderName = "auto",
        frame_rate: float = FRAME_RATE,
        device: str = "auto",
        time_limit: float = TIME_LIMIT,
        trust: Sequence[str] = (),
    ) -> None:
        require_at_least("time_limit", time_limit, 0)
        self._opener = video_opener(time_limit, frame_rate)
        self._decoder = decoder
        self.device = device_named(device)
        net, about = load_network(checkpoint, trust=trust)
        self._net = net.to(self.device)
        self._clips_per_forward: int = about["clips_per_forward"]
        self.class_names: list[str] = about["class_names"]
        asked = {"num_clips": num_clips, "protocol": protocol, "crops": crops, "fps": fps, "antialias": antialias}
        views = {**about, **{name: value for name, value in asked.items() if value is not None}}
        self.views = chosen(EvaluationViews, views)
        self._plan = evaluation_plan(self.views)
        self._mean, self._std = (torch.tensor(about[name], device=self.device) for name in ("mean", "std"))

    def predict(
        self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, top_k: int = 5, workers: int = 0
    ) -> Iterator[Prediction]:
        """Classify files one after the other. A bad file gives a prediction with an error and does not stop the rest.

        Args:
            paths: One video or several: files, or folders of numbered images. With "#t=5.4,11.6" (seconds) or
                "#frames=12,48" after the path, only this part of the video is classified.
            top_k: Number of classes to name, at most. Default: 5.
            workers: Number of processes that decode ahead; 0 decodes as predictions are asked for. Default: 0.

        Returns:
            Iterator over one prediction for each path, in order, made as it is advanced.

        Raises:
            ValueError: `top_k` is not positive.
        """
        require_positive("top_k", top_k)
        names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
        records = Records.of(map(_record, names))
        dataset = VideoDataset(records, self._plan, decoder=self._decoder, opener=self._opener)
        check_space(workers)
        loader: DataLoader[Any] = DataLoader(
            dataset, batch_size=1, num_workers=workers, collate_fn=collate, pin_memory=self.device.type == "cuda"
        )
        return (
            Prediction(sample.path, error=sample.error) if sample.error is not None else self._predict(sample, top_k)
            for batch in loader
            for sample in [*batch.failed, *batch.samples]
        )

    @torch.inference_mode()
    def _predict(self, sample: Sample, top_k: int) -> Prediction:
        assert sample.frames is not None
        assert sample.clips is not None
        sample.frames = sample.frames.to(self.device, non_blocking=True)
        sample.clips = sample.clips.to(self.device, non_blocking=True)
        chunks = (normalise(views, self._mean, self._std) for views in view_chunks(sample, self._clips_per_forward))
        try:
            probabilities = video_probabilities(score_views(self._net, chunks, len(sample.crops)))
        except ValueError as error:  # a file too small for the network, say
            return Prediction(sample.path, error=str(error), fallback=sample.fallback)
        scores, classes = probabilities.topk(min(top_k, len(probabilities)))
        names = [self.class_names[number] for number in classes.tolist()]
        pairs = tuple(zip(names, scores.tolist(), strict=True))
        return Prediction(sample.path, scores=pairs, fallback=sample.fallback)


def _record(name: str) -> VideoRecord:
    """The video or part of that name; a part that is wrong fails like a bad file, among the others."""
    try:
        return named_video(name)
    except ValueError as error:
        return VideoRecord(name, None, error=str(error).removeprefix(f"{name}: "))
