"""Video files -> predictions, with the same clips, decoding, transforms and evaluation as testing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from videogn.axes import Sample
from videogn.checks import require_at_least, require_positive
from videogn.choices import (
    FRAME_RATE,
    TIME_LIMIT,
    CropsName,
    DecoderName,
    EvaluationViews,
    PredictPrecisionName,
    ProtocolName,
    chosen,
)
from videogn.data.plans import evaluation_plan
from videogn.evaluation.views import score_views
from videogn.inference.decoding import VideoDecoding, decoded
from videogn.inference.features import ClipFeatures, VideoFeatures
from videogn.inference.loading import load_network, refuse_several_labels
from videogn.inference.network_pass import NetworkPass
from videogn.inference.passes import in_passes
from videogn.inference.pipeline import VideoPipeline
from videogn.inference.precision import precision_named
from videogn.inference.prediction import Prediction
from videogn.inference.pretrained_predictor import Pretrained
from videogn.inference.videos import Video, as_videos
from videogn.models.compiling import compile_network
from videogn.models.head import classifier_of
from videogn.models.input_size import check_views
from videogn.system.devices import device_named

if TYPE_CHECKING:
    from videogn.evaluation.anytime import StoppingRule
    from videogn.inference.timelines.window import Window

Result = TypeVar("Result")


class Predictor(Pretrained):
    """Classifies video files with a network whose source says everything about it and its input.

    Args:
        checkpoint: Checkpoint written by `videogn fit`; folder in the Hugging Face layout, or id of one on the Hub
            (`hf:USER/NAME`); or a published network: `torchvision:NAME`, `zoo:NAME`, `nonlocal:FILE`.
        num_clips: Number of clips per video. Default: that of a published network's accuracy, for a checkpoint 10.
        protocol: Rule that places the clips: "nonlocal", "slowfast", "slowfast_offset", "mmaction2" or "endpoint".
            Default: that of a published network's accuracy, for a checkpoint "nonlocal".
        crops: Part of the frame that is tested: "full", "three_crop" or "center". Default: as the checkpoint says.
        fps: Frames per second at which clips are taken, by the videos' time stamps; 0 takes every frame of the video.
            Default: as the checkpoint says.
        antialias: Whether frames are antialiased when they shrink. Default: as the checkpoint says.
        decoder: "auto" (PyAV), "pyav", "decord" or "torchcodec"; files on which it is not exact go to PyAV. Default:
            "auto".
        frame_rate: Frames per second of folders of numbered images, and of bare arrays. Default: 25.
        device: "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one. Default: "auto".
        precision: "32", as `videogn test` computes; "bf16"; or "auto": bf16 where the processor computes in it, which
            takes about half the time and changes probabilities in the third digit, else 32. Default: "32".
        compile: Whether the network is compiled (`torch.compile`), which takes a minute or more for each shape of
            videos before it pays, and a C++ compiler on a CPU. Default: False.
        time_limit: Seconds that a small video may take to decode; a long or large one has more. Decoding runs in a
            process of its own, which is killed and replaced when the time is over. 0 decodes in this process without a
            limit. Default: 60.
        use_truncated: Whether a video whose end is missing, or of which frames are damaged, is scored over the frames
            that decode, where it would fail otherwise; its prediction says so (`truncated`). Default: False.
        trust: Packages that may be imported where the checkpoint names a norm or a network from outside videogn.
            Default: none.

    Attributes:
        device: Device of the network.
        precision: "32" or "bf16": what the network computes in.
        class_names: Class names in the order of their numbers.
        views: What the network sees of a video: clips, crops and their sizes.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        ValueError: The file is not a checkpoint of `videogn fit`, it names code that is not trusted, there is no such
            published network or it could not be fetched, an argument is wrong, or there is no compiler.

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
        precision: PredictPrecisionName = "32",
        compile: bool = False,
        time_limit: float = TIME_LIMIT,
        use_truncated: bool = False,
        trust: Sequence[str] = (),
    ) -> None:
        require_at_least("time_limit", time_limit, 0)
        require_positive("frame_rate", frame_rate)
        self.device = device_named(device)
        arithmetic = precision_named(precision, self.device)
        self.precision: str = arithmetic.name
        net, about = load_network(checkpoint, trust=trust)
        self._net = net.to(self.device)
        if self.device.type == "cuda":
            from videogn.models.stem_convolution import fold_time

            fold_time(self._net, self.device, arithmetic.name)
        run = copy.copy(self._net) if compile else self._net  # a copy has the same layers and weights
        if compile:
            compile_network(run, self.device)
        self._clips_per_forward: int = about["clips_per_forward"]
        self.class_names: list[str] = about["class_names"]
        asked = {"num_clips": num_clips, "protocol": protocol, "crops": crops, "fps": fps, "antialias": antialias}
        views = {**about, **{name: value for name, value in asked.items() if value is not None}}
        self._source, self._about = checkpoint, views
        self.views = chosen(EvaluationViews, views)
        check_views(net, self.views)
        self._decoding = VideoDecoding(
            evaluation_plan(self.views),
            decoder,
            time_limit,
            frame_rate=frame_rate,
            use_truncated=use_truncated,
        )
        mean, std = (torch.tensor(about[name], device=self.device) for name in ("mean", "std"))
        self._of_views = partial(score_views, several_labels=about.get("several_labels", False))
        layout = arithmetic.layout(self.device, about.get("norm", "bn"), compile)
        self._pass = NetworkPass(run, self.device, arithmetic, layout, mean, std)

    @property
    def num_features(self) -> int:
        """Number of features of a clip.

        Raises:
            ValueError: The last layer of the network is no classifier.
        """
        return classifier_of(self._net, len(self.class_names)).features

    def predict(
        self,
        videos: Video | Iterable[Video],
        *,
        top_k: int = 5,
        workers: int | None = 0,
        batch_clips: int | None = None,
        stopping: StoppingRule | None = None,
    ) -> Iterator[Prediction]:
        """Classify videos. A bad file gives a prediction with an error and does not stop the rest.

        Args:
            videos: One video or several: files, folders of numbered images, records of an index, files that are open
                for reading bytes, arrays or tensors of frames, uint8 (T, H, W, 3), or a `VideoArray` of these with
                their rate. With "#t=5.4,11.6" (seconds) or "#frames=12,48" after the path, only this part of the video
                is classified. An iterable may be endless: videos are taken from it as they are needed, and none is
                kept.
            top_k: Number of classes to name, at most. Default: 5.
            workers: Number of processes that decode ahead, at most two videos each; 0 decodes as predictions are asked
                for, and None chooses: none for one video, for several a quarter of the cores, or as many as cores if
                the network is on a GPU. Default: 0, which needs no `if __name__ == "__main__"` on any system.
            batch_clips: Number of views that go through the network at once, at most, of one video or of several whose
                views are of one size. Results then depend on the other videos in the last digits. By default every
                video goes alone, as many views at once as the checkpoint says (`clips_per_forward`).
            stopping: When a video has been seen well enough: its clips are then scored one after the other, and none
                that the rule can do without. Default: all clips are scored.

        Returns:
            Iterator over one prediction for each video, in order, made as it is advanced.

        Raises:
            ValueError: A number is out of range, or `stopping` is a rule for another number of clips.
        """
        samples = self.decode(videos, workers=workers)
        return self.classify(samples, top_k=top_k, batch_clips=batch_clips, stopping=stopping)

    def decode(self, videos: Video | Iterable[Video], *, workers: int | None = 0) -> Iterator[Sample]:
        """Decode videos as `predict` does.

        Args:
            videos: As for `predict`.
            workers: As for `predict`. Default: 0.

        Returns:
            Iterator over one sample for each video, in order, decoded or failed; made as it is advanced.

        Raises:
            ValueError: `workers` is negative.
        """
        require_at_least("workers", workers or 0, 0)
        return decoded(as_videos(videos), self._decoding, workers=workers, device=self.device)

    def classify(
        self,
        samples: Iterable[Sample],
        *,
        top_k: int = 5,
        batch_clips: int | None = None,
        stopping: StoppingRule | None = None,
    ) -> Iterator[Prediction]:
        """Classify decoded videos as `predict` does.

        Args:
            samples: Samples of `decode`. Their frames are moved to the device of the network.
            top_k: As for `predict`. Default: 5.
            batch_clips: As for `predict`. Default: every video alone.
            stopping: As for `predict`. Samples are cut down to the clips that are scored. Default: all clips.

        Returns:
            Iterator over one prediction for each sample, in order; made as it is advanced.

        Raises:
            ValueError: As for `predict`.
        """
        require_positive("top_k", top_k)
        network = self._pass
        if stopping is not None:
            from videogn.inference.stopped_pass import stopped_pass  # what only this needs

            refuse_several_labels(self._about, "stopping early")
            network = stopped_pass(network, stopping, self.views.num_clips)
        made = partial(Prediction.of, class_names=self.class_names, top_k=top_k, stopped=stopping is not None)
        results = partial(network.results, of_views=self._of_views, made=made, failed=Prediction.failed)
        return self._each(samples, batch_clips, results, Prediction.failed)

    def features(
        self, videos: Video | Iterable[Video], *, workers: int | None = 0, batch_clips: int | None = None
    ) -> Iterator[VideoFeatures]:
        """Compute the features of videos' clips: what the classifier gets, averaged over positions and crops.

        Args:
            videos: One video or several, as for `predict`.
            workers: As for `predict`. Default: 0.
            batch_clips: As for `predict`.

        Returns:
            Iterator over the features of each video, in order, made as it is advanced; 2,048 a clip for `i3d_r50`.

        Raises:
            ValueError: A number is out of range, or the last layer of the network is no classifier.
        """
        network, of_views = replace(self._pass, net=self._net), ClipFeatures(self._net, len(self.class_names))
        results = partial(network.results, of_views=of_views, made=VideoFeatures.of, failed=VideoFeatures.failed)
        return self._each(self.decode(videos, workers=workers), batch_clips, results, VideoFeatures.failed)

    def evidence(self, sample: Sample, class_number: int) -> NDArray[np.float32]:
        """Find where in space and time of a decoded video a class came from; see `videogn.inference.saliency.explain`.

        Args:
            sample: Decoded video: a sample of `decode`.
            class_number: Class, a place in `class_names`.

        Returns:
            The evidence at each pixel of `sample.frames`, float32 (N, H, W), >= 0, in no unit.

        Raises:
            ModuleNotFoundError: captum is not installed.
        """
        from videogn.inference.saliency import explain  # what only this needs

        return explain(self._net, sample, class_number, self._pass.mean, self._pass.std)

    def as_pipeline(self, *, top_k: int = 5) -> VideoPipeline:
        """Return a function that takes and returns what the video-classification pipeline of transformers does.

        Args:
            top_k: Number of classes to name, at most. Default: 5.

        Returns:
            A function from a video to `[{"score", "label"}, ...]`, and from a list to a list of these.

        Raises:
            ValueError: `top_k` is not positive.
        """
        return VideoPipeline(self.predict, top_k=top_k)

    def _each(
        self,
        samples: Iterable[Sample],
        batch_clips: int | None,
        results: Callable[..., Sequence[Result]],
        failed: Callable[[Sample, str], Result],
    ) -> Iterator[Result]:
        at_once = self._clips_per_forward if batch_clips is None else batch_clips
        require_positive("batch_clips", at_once)
        return in_passes(
            samples,
            partial(results, at_once=at_once),
            lambda shape: 1 if batch_clips is None else max(batch_clips // shape.views, 1),
            lambda sample: failed(sample, str(sample.error)),
        )

    def timeline(self, video: Video, *, stride: float, batch_clips: int | None = None) -> Iterator[Window]:
        """Score the clips that slide over a long video. Each frame is decoded once, and only those at hand are kept.

        Args:
            video: The video, or a part of it, as for `predict`. `num_clips` does not matter.
            stride: Seconds from one clip to the next. A clip begins at the frame nearest to each multiple of it.
            batch_clips: Number of clips that go through the network at once. By default as many as the checkpoint says
                (`clips_per_forward`) on a GPU, and 1 on a CPU, which would gain no time by more.

        Returns:
            Iterator over the windows in the order of time, one for each clip that ends within the video, and at least
            one; made as it is advanced.

        Raises:
            ValueError: A number is not positive.
            VideoDecodeError: The video cannot be opened or not be decoded to its end, or is too small for the network;
                raised after the windows before.
        """
        from videogn.inference.timelines.window import refused, windows_of  # what only long videos need

        refuse_several_labels(self._about, "a timeline")
        require_positive("stride", stride)
        usual = 1 if self.device.type == "cpu" else self._clips_per_forward
        at_once = usual if batch_clips is None else batch_clips
        require_positive("batch_clips", at_once)
        samples = self._decoding.sliding(video, self.views, stride=stride, clips=at_once)
        results = partial(self._pass.results, of_views=score_views, made=windows_of, failed=refused)
        return chain.from_iterable(window for sample in samples for window in results([sample], at_once))
