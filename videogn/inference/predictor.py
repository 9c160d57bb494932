"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videogn.axes import Sample, VideoRecord
from videogn.checks import require_at_least, require_positive
from videogn.choices import FRAME_RATE, TIME_LIMIT, CropsName, DecoderName, EvaluationViews, ProtocolName, chosen
from videogn.data.plans import evaluation_plan
from videogn.evaluation.views import score_views, video_probabilities
from videogn.inference.decoding import Video, VideoDecoding, decoded
from videogn.inference.loading import load_network
from videogn.inference.passes import in_passes
from videogn.inference.prediction import Prediction
from videogn.system.devices import device_named
from videogn.video.decoders.guard import video_opener
from videogn.video.transforms import normalise, view_chunks, views_of


class Predictor:
    """Classifies video files with a network whose source says everything about it and its input.

    Args:
        checkpoint: Checkpoint written by `videogn fit`; folder in the Hugging Face layout, or id of one on the Hub
            (`hf:USER/NAME`); or a published network: `torchvision:NAME`, `zoo:NAME`, `nonlocal:FILE`.
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
        self._source, self._about = checkpoint, views
        self._plan = evaluation_plan(chosen(EvaluationViews, views))
        self._mean, self._std = (torch.tensor(about[name], device=self.device) for name in ("mean", "std"))

    def predict(
        self, videos: Video | Iterable[Video], *, top_k: int = 5, workers: int = 0, batch_clips: int | None = None
    ) -> Iterator[Prediction]:
        """Classify videos. A bad file gives a prediction with an error and does not stop the rest.

        Args:
            videos: One video or several: files, folders of numbered images, or records of an index. With "#t=5.4,11.6"
                (seconds) or "#frames=12,48" after the path, only this part of the video is classified. An iterable may
                be endless: videos are taken from it as they are needed, and none is kept.
            top_k: Number of classes to name, at most. Default: 5.
            workers: Number of processes that decode ahead, at most two videos each; 0 decodes as predictions are asked
                for. Default: 0.
            batch_clips: Number of views that go through the network at once, at most, of one video or of several whose
                views are of one size. Default: as the checkpoint says (`clips_per_forward`).

        Returns:
            Iterator over one prediction for each video, in order, made as it is advanced.

        Raises:
            ValueError: A number is out of range.
        """
        require_positive("top_k", top_k)
        require_at_least("workers", workers, 0)
        at_once = self._clips_per_forward if batch_clips is None else batch_clips
        require_positive("batch_clips", at_once)
        one = isinstance(videos, str | os.PathLike | VideoRecord)
        samples = decoded(
            [videos] if one else videos,
            VideoDecoding(self._plan, self._decoder, self._opener),
            workers=workers,
            pin_memory=self.device.type == "cuda",
        )
        return in_passes(
            samples,
            partial(self._predict, top_k=top_k, at_once=at_once),
            lambda shape: max(at_once // shape.views, 1),
        )

    @classmethod
    def from_pretrained(cls, folder_or_hub_id: str | Path, **options: Any) -> Predictor:
        """Make a predictor of a folder in the Hugging Face layout. No code of it is run.

        Args:
            folder_or_hub_id: Folder that `save_pretrained` wrote, which needs no network; or the id of a repository on
                the Hub, `user/name` or `user/name@revision`, which is fetched into Hugging Face's cache once.
            **options: Further arguments of `Predictor`.

        Returns:
            The predictor.

        Raises:
            FileNotFoundError: There is no such folder.
            ModuleNotFoundError: huggingface_hub is not installed, which an id needs.
            ValueError: It is no folder of a network of videogn, or it could not be fetched.
        """
        from videogn.inference.pretrained import pretrained_source

        return cls(pretrained_source(folder_or_hub_id), **options)

    def save_pretrained(self, folder: str | Path, *, results: str | Path | None = None) -> Path:
        """Write the network, the input it expects and the views that this predictor takes as a folder in that layout.

        Args:
            folder: Folder for config.json, preprocessor_config.json, model.safetensors and README.md, a model card. A
                README.md that is there is left as it is.
            results: results.json of the network's test, or its folder, for the model card. Default: the one beside the
                checkpoint, if it is that checkpoint's.

        Returns:
            The folder.

        Raises:
            FileNotFoundError: There are no such results.
            ValueError: The results are those of another network, or the folder is a file.
        """
        from videogn.inference.pretrained import save_pretrained  # what only saving needs

        return save_pretrained(self._net, self._about, folder, source=self._source, results=results)

    def push_to_hub(self, repo_id: str, *, private: bool = True, results: str | Path | None = None) -> str:
        """Push what `save_pretrained` writes to the Hugging Face Hub, with the token of `hf auth login`.

        Args:
            repo_id: Repository, user/name; made if it does not exist. A README.md that it has is left as it is.
            private: Whether only its owner can see a repository that is made. Default: True.
            results: As in `save_pretrained`.

        Returns:
            URL of the repository.

        Raises:
            ModuleNotFoundError: huggingface_hub is not installed.
            ValueError: The Hub refused, or could not be reached; or as in `save_pretrained`.
        """
        from videogn.inference.pretrained import push_pretrained

        with tempfile.TemporaryDirectory() as parent:
            folder = self.save_pretrained(Path(parent, repo_id.rpartition("/")[2] or "model"), results=results)
            return push_pretrained(folder, repo_id, private=private)

    def _predict(self, samples: Sequence[Sample], *, top_k: int, at_once: int) -> list[Prediction]:
        """Score videos of one shape: all views in one pass, or those of one video some at a time."""
        try:
            clips = self._score(samples, at_once)
        except ValueError as error:  # a file too small for the network, say
            if len(samples) == 1:
                return [Prediction(samples[0].path, error=str(error), fallback=samples[0].fallback)]
            return [self._predict([sample], top_k=top_k, at_once=at_once)[0] for sample in samples]
        return [self._prediction(*each, top_k) for each in zip(samples, clips, strict=True)]

    @torch.inference_mode()
    def _score(self, samples: Sequence[Sample], at_once: int) -> list[Tensor]:
        """The probabilities (clips, K) of each video, on the CPU."""
        lengths = [self._on_device(sample) for sample in samples]
        views = view_chunks(samples[0], at_once) if len(samples) == 1 else [views_of(*samples)]
        chunks = (normalise(some, self._mean, self._std) for some in views)
        return list(score_views(self._net, chunks, len(samples[0].crops)).cpu().split(lengths))

    def _on_device(self, sample: Sample) -> int:
        """Move a video there; its number of clips."""
        assert sample.frames is not None
        assert sample.clips is not None
        sample.frames = sample.frames.to(self.device, non_blocking=True)
        sample.clips = sample.clips.to(self.device, non_blocking=True)
        return len(sample.clips)

    def _prediction(self, sample: Sample, clips: Tensor, top_k: int) -> Prediction:
        probabilities = video_probabilities(clips)
        scores, classes = probabilities.topk(min(top_k, len(probabilities)))
        names = [self.class_names[number] for number in classes.tolist()]
        return Prediction(
            sample.path,
            scores=tuple(zip(names, scores.tolist(), strict=True)),
            fallback=sample.fallback,
            clip_times=sample.times,
            clip_probabilities=clips.numpy(),
            probabilities=probabilities.numpy(),
        )
